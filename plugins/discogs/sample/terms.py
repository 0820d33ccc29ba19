"""Discogs' own terms: genres, styles, formats, roles, countries and such; escaped for XML."""

from __future__ import annotations

from discogs.sample.tables import listed, table, weighted

GENRES: tuple[tuple[str, int, str], ...] = (
    # genre, its share in per mille, its styles
    (
        "Electronic",
        245,
        "Abstract/Acid/Acid House/Ambient/Baltimore Club/Bassline/Beatdown/Breakbeat/Breakcore/"
        "Breaks/Broken Beat/Chillwave/Chiptune/Dance-pop/Dark Ambient/Darkwave/Deep House/"
        "Deep Techno/Disco/Downtempo/Drone/Drum n Bass/Dub/Dub Techno/Dubstep/EBM/Electro/"
        "Electro House/Electroclash/Euro House/Eurodance/Experimental/Freestyle/Future Jazz/Gabber/"
        "Garage House/Ghetto/Glitch/Goa Trance/Grime/Happy Hardcore/Hard House/Hard Techno/"
        "Hard Trance/Hardcore/Hi NRG/House/IDM/Illbient/Industrial/Italo-Disco/Italodance/"
        "Jazzdance/Juke/Jumpstyle/Jungle/Latin House/Leftfield/Minimal/Minimal Techno/"
        "Modern Classical/Musique Concrète/New Age/New Beat/New Wave/Noise/Nu-Disco/"
        "Power Electronics/Progressive House/Progressive Trance/Psy-Trance/Rhythmic Noise/"
        "Schranz/Speed Garage/Synth-pop/Synthwave/Tech House/Tech Trance/Techno/Trance/"
        "Tribal/Tribal House/Trip Hop/UK Garage/Vaporwave/Witch House",
    ),
    (
        "Rock",
        300,
        "AOR/Acid Rock/Acoustic/Alternative Rock/Arena Rock/Art Rock/Avantgarde/Beat/Black Metal/"
        "Blues Rock/Brit Pop/Classic Rock/Country Rock/Crust/Death Metal/Deathcore/Doo Wop/"
        "Doom Metal/Dream Pop/Emo/Ethereal/Folk Rock/Funk Metal/Garage Rock/Glam/Goth Rock/"
        "Gothic Metal/Grindcore/Grunge/Hard Rock/Heavy Metal/Indie Rock/Krautrock/Lo-Fi/Math Rock/"
        "Melodic Hardcore/Metalcore/Mod/No Wave/Nu Metal/Oi/Pop Rock/Post Rock/Post-Punk/"
        "Power Metal/Power Pop/Prog Rock/Psychedelic Rock/Pub Rock/Punk/Rock &amp; Roll/"
        "Rockabilly/Shoegaze/Ska/Sludge Metal/Soft Rock/Southern Rock/Space Rock/Speed Metal/"
        "Stoner Rock/Surf/Symphonic Rock/Thrash/Twist/Viking Metal/Yé-Yé",
    ),
    ("Pop", 130, "Ballad/Bubblegum/Chanson/City Pop/Europop/J-pop/K-pop/Schlager/Vocal/Kayōkyoku"),
    (
        "Jazz",
        75,
        "Afro-Cuban Jazz/Avant-garde Jazz/Big Band/Bop/Bossa Nova/Cool Jazz/Contemporary Jazz/"
        "Dixieland/Easy Listening/Free Improvisation/Free Jazz/Fusion/Gypsy Jazz/Hard Bop/"
        "Jazz-Funk/Jazz-Rock/Latin Jazz/Modal/Post Bop/Ragtime/Smooth Jazz/Soul-Jazz/Swing",
    ),
    (
        "Folk, World, &amp; Country",
        60,
        "African/Bluegrass/Cajun/Canzone Napoletana/Celtic/Country/Fado/Flamenco/Folk/Gamelan/"
        "Hillbilly/Honky Tonk/Klezmer/Luk Thung/Polka/Raï/Volksmusik/Western Swing/Éntekhno",
    ),
    (
        "Funk / Soul",
        50,
        "Afrobeat/Boogie/Contemporary R&amp;B/Funk/Gospel/Neo Soul/New Jack Swing/P.Funk/"
        "Rhythm &amp; Blues/Soul/Swingbeat/UK Street Soul",
    ),
    (
        "Hip Hop",
        45,
        "Bass Music/Boom Bap/Conscious/Chunk-up/DJ/Gangsta/Hardcore Hip-Hop/Horrorcore/"
        "Instrumental/Jazzy Hip-Hop/Miami Bass/Pop Rap/Ragga HipHop/Thug Rap/Trap/Turntablism",
    ),
    (
        "Classical",
        30,
        "Baroque/Choral/Contemporary/Early/Impressionist/Medieval/Modern/Neo-Classical/Opera/"
        "Operetta/Post-Modern/Renaissance/Romantic",
    ),
    (
        "Latin",
        20,
        "Bachata/Bolero/Boogaloo/Cha-Cha/Cumbia/Guaguancó/Mambo/Mariachi/Merengue/MPB/Ranchera/"
        "Reggaeton/Rumba/Salsa/Samba/Son/Tango/Vallenato",
    ),
    ("Reggae", 20, "Calypso/Dancehall/Lovers Rock/Mento/Ragga/Reggae/Rocksteady/Roots Reggae/Soca"),
    ("Stage &amp; Screen", 10, "Musical/Score/Soundtrack/Theme/Video Game Music"),
    ("Blues", 8, "Boogie Woogie/Chicago Blues/Country Blues/Delta Blues/Jump Blues/Piano Blues"),
    ("Non-Music", 4, "Audiobook/Comedy/Field Recording/Interview/Poetry/Radioplay/Spoken Word"),
    ("Children's", 2, "Educational/Nursery Rhymes/Story"),
    ("Brass &amp; Military", 1, "Brass Band/Marches/Military/Pipe &amp; Drum"),
)

STYLES_OF = tuple(table(styles.split("/"), 128) for _, _, styles in GENRES)
GENRE_DRAW = weighted([(number, share) for number, (_, share, _) in enumerate(GENRES)])
GENRE_NAMES = tuple(name for name, _, _ in GENRES)

COUNTRIES = weighted(
    [
        ("US", 260),
        ("UK", 150),
        ("Germany", 110),
        ("France", 60),
        ("Japan", 55),
        ("Italy", 45),
        ("Netherlands", 40),
        ("Canada", 30),
        ("Spain", 30),
        ("Australia", 22),
        ("Sweden", 20),
        ("Europe", 60),
        ("Brazil", 15),
        ("Belgium", 15),
        ("Russia", 12),
        ("Poland", 12),
        ("USSR", 10),
        ("Greece", 8),
        ("Yugoslavia", 8),
        ("UK &amp; Europe", 20),
        ("German Democratic Republic (GDR)", 6),
        ("Côte d'Ivoire", 1),
        ("Bosnia &amp; Herzegovina", 1),
        ("Curaçao", 1),
        ("Unknown", 8),
    ]
)

FORMATS: tuple[tuple[str, tuple[str, ...]], ...] = weighted(
    [
        (("Vinyl", ('12"', "33 ⅓ RPM")), 70),
        (("Vinyl", ('7"', "45 RPM", "Single")), 130),
        (("Vinyl", ("LP", "Album")), 150),
        (("Vinyl", ("LP", "Album", "Reissue", "Stereo")), 60),
        (("Vinyl", ('12"', "Promo", "White Label")), 20),
        (("CD", ("Album",)), 140),
        (("CD", ("Compilation",)), 60),
        (("CD", ("Album", "Reissue", "Remastered")), 40),
        (("CD", ("Maxi-Single",)), 30),
        (("CDr", ("Promo",)), 12),
        (("Cassette", ("Album",)), 50),
        (("Cassette", ("Album", "Limited Edition")), 20),
        (("File", ("MP3", "320 kbps")), 40),
        (("File", ("FLAC", "Album")), 20),
        (("Shellac", ('10"', "78 RPM")), 25),
        (("DVD", ("DVD-Video", "NTSC")), 8),
        (("Flexi-disc", ('7"', "33 ⅓ RPM", "Single Sided")), 3),
        (("8-Track Cartridge", ("Album",)), 3),
        (("Box Set", ("Compilation",)), 4),
        (("All Media", ("Deluxe Edition",)), 2),
    ]
)

FORMAT_TEXTS = weighted(
    [("", 850), ("180g", 40), ("Digipak", 40), ("Blue", 20), ("Gatefold", 30), ("&lt;3&quot;", 5)]
)

ROLES = table(
    listed("""
    Written-By/Producer/Mixed By/Mastered By/Vocals/Guitar/Bass/Drums/Keyboards/Piano/Saxophone/
    Trumpet/Violin/Artwork/Design/Photography By/Engineer/Recorded By/Arranged By/
    Lacquer Chunk By/Lyrics By/Music By/Composed By/Remix/Executive Producer/Liner Notes/
    Percussion/Backing Vocals/Synthesizer/Programmed By/Featuring/Conductor/Producer, Mixed By/
    Written-By, Producer/Guitar, Vocals/Bass, Backing Vocals/Artwork, Design/
    Engineer [Assistant]/Drums, Percussion/Written-By [All Tracks By]/Photography By [Cover]/
    Saxophone [Alto, Tenor]/DJ Mix/Cello/Orchestrated By/Management/A&amp;R/Copyist
"""),
    64,
)

JOINS = table((",", "&amp;", "Feat.", "Vs.", "And", "/", "With", "Presents"), 8)

COMPANY_ROLES = table(
    (
        (23, "Recorded At"),
        (17, "Pressed By"),
        (29, "Mastered At"),
        (30, "Lacquer Chunk At"),
        (13, "Phonographic Copyright (p)"),
        (14, "Copyright (c)"),
        (9, "Distributed By"),
        (21, "Published By"),
        (10, "Manufactured By"),
        (27, "Mixed At"),
        (7, "Licensed To"),
        (6, "Licensed From"),
        (16, "Made By"),
        (19, "Printed By"),
        (33, "Glass Mastered At"),
        (8, "Marketed By"),
    ),
    16,
)

IDENTIFIERS = table(
    (
        ("Barcode", "Text"),
        ("Barcode", "Scanned"),
        ("Matrix / Runout", "Side A runout etching"),
        ("Matrix / Runout", "Side B runout etching"),
        ("Matrix / Runout", "Variant 1"),
        ("Label Code", ""),
        ("Rights Society", ""),
        ("Mastering SID Code", "Disc 1"),
    ),
    8,
)

DATA_QUALITIES = weighted(
    [
        ("Needs Vote", 700),
        ("Correct", 220),
        ("Complete and Correct", 30),
        ("Needs Minor Changes", 20),
        ("Needs Major Changes", 20),
        ("Entirely Incorrect", 10),
    ],
    256,
)

# Tracks a release: singles, EPs, albums, compilations; 8.3 on average.
TRACK_COUNTS = weighted(
    [
        (1, 50),
        (2, 190),
        (3, 60),
        (4, 90),
        (5, 40),
        (6, 50),
        (8, 70),
        (9, 40),
        (10, 110),
        (11, 60),
        (12, 110),
        (13, 30),
        (14, 40),
        (16, 25),
        (18, 15),
        (20, 12),
        (24, 8),
        (32, 4),
        (40, 2),
        (60, 1),
    ]
)
MOST_TRACKS = 60

NUMBERED = tuple(str(number) for number in range(1, MOST_TRACKS + 1))


def _sides(tracks: int) -> tuple[str, ...]:
    """Positions on vinyl or tape: A1, A2, … B1, …"""
    half = (tracks + 1) // 2
    if tracks <= 2:
        return ("A", "B")[:tracks]
    return tuple(
        f"A{number + 1}" if number < half else f"B{number - half + 1}" for number in range(tracks)
    )


SIDED = tuple(_sides(tracks) for tracks in range(MOST_TRACKS + 1))
