# ruff: noqa: RUF001 (letters of other alphabets that look like Latin ones are meant)
"""The words that names, titles and texts are made of; escaped for XML."""

from __future__ import annotations

from discogs.sample.tables import listed, table, words

FIRST_NAMES = table(
    words("""
    Jesper Alexi Cari Josh Carl Derrick Juan Kevin Maria Anna Björk Siobhán Zoë André François
    Łukasz Małgorzata Jürgen Günther Søren Åsa Øyvind Renée Chloé Raúl Íñigo João Conceição
    Ștefan Nikola Dražen Željko Ludvík Jiří Eliška Ágnes György Ilmārs Kęstutis Yūki Kenji
    Haruomi Ryuichi Masabumi Mei Ling Wei Ravi Asha Fela Tony Miriam Youssou Salif Ali Oumou Umm
    Ziad Marvin Aretha Otis Wilson Nina Miles John Thelonious Mary Lou Alice Pharoah Sun David
    Brian Robert Kate Peter Paul George Nick Leonard Joni Patti Debbie Grace Sly Larry Bootsy
    Bernie Giorgio Pino Ennio Piero Nino Mina Ornella Françoise Serge Jacques Édith Claude Erik
    Maurice Wolfgang Johann Ludwig Clara Fanny Hildegard Arvo Krzysztof Henryk Witold Sofia
    Dmitri Olga Sergei Natasha Victor Pedro Caetano Gilberto Gal Elis Milton Jorge Astrud Silvio
    Celia Tito Rubén Willie Héctor Eddie Ray Johnny Jimmy Bobby Freddie Lee King Prince Augustus
    Dennis Horace Gregory Sister Nancy Mad
"""),
    512,
)

_LAST_STARTS = words("""
    Ander Berg Dahl Lind Ny Holm Ström Sjö Kowal Nowak Wiśn Zieliń Petro Iva Smir Kuzne Popo
    Sokol Rossi Bian Fer Mari Lom Gon Rodrí Mart Sán Per Silv Sant Alme Mül Schnei Fisch Web Wag
    Beck Hoff Roth Blum
""")
_LAST_ENDS = words("""
    son sen mann qvist ski ova enko ini etti ez es eira ić ov berg feld stein baum wood ley ton
    field er ard eau ström
""")

LAST_NAMES = table([start + end for end in _LAST_ENDS for start in _LAST_STARTS], 1024)

ADJECTIVES = table(
    words("""
    Silent Broken Electric Golden Velvet Midnight Distant Hollow Crystal Burning Frozen Lost
    Sacred Wooden Plastic Neon Digital Analog Paper Iron Copper Silver Crimson Deep Blue Black
    White Green Yellow Purple Pale Dark Bright Quiet Loud Slow Fast Wild Tame Young Old Modern
    Ancient Infinite Temporary Secret Open Hidden Magnetic Solar Lunar Northern Southern Eastern
    Western Tropical Arctic Urban Rural Royal Common Strange Familiar
"""),
    64,
)

NOUNS = table(
    words("""
    Machine Garden Ocean River Mountain Forest City Street Station Orchestra Ensemble Quartet
    Trio Brothers Sisters Collective Unit System Project Experience Society Club Band Crew Posse
    Family Tribe Circus Theatre Radio Transmission Signal Frequency Wave Pulse Circuit Engine
    Motor Rocket Satellite Planet Star Comet Galaxy Universe Dream Vision Mirror Window Door Key
    Shadow Light Fire Water Stone Tree Leaf Bird Wolf Tiger Horse Elephant Spider Butterfly
    Dancer Singer Poet Pilot Sailor Doctor Professor Prophet Ghost Angel Devil Saint Sinner
    Stranger Lover Fighter Thief King Queen Prince Soldier Child Mother Father Daughter Kitchen
    Bedroom Basement Rooftop Harbour Bridge Tunnel Highway Railroad Airport Island Desert Jungle
    Valley Canyon Volcano Glacier Rain Snow Thunder Lightning Wind
"""),
    128,
)

TITLE_WORDS = table(
    words("""
    Love Night Day Time Life World Heart Dream Sun Moon Star Fire Water Rain Sky Home Road Way
    Dance Song Music Rhythm Soul Body Mind Eyes Hands Girl Boy Man Woman Baby Child Angel Devil
    Heaven Hell Paradise Summer Winter Spring Autumn Morning Evening Midnight Sunday Monday
    Tomorrow Yesterday Today Forever Never Always Again Alone Together Away Down Up Out Inside
    Outside Beyond Under Above Between Without Within Östermalm Södermalm Vasastaden Kungsholmen
    Gamla Straße Übermut Größe Mädchen Nächte Liebe Herz Träume Éclipse Étoile Château Français
    Noël Fenêtre Corazón Mañana Señorita Canción Niño Años São Coração Saudade Ilusão Manhã Ação
    Città Perché Libertà Però Żółty Łódź Świat Noc Море Солнце Ночь Любовь Звезда Дорога Ветер
    Песня Город さくら 東京 夜明け 恋 雨の街 夏 風 月光 愛
    Αγάπη Νύχτα Θάλασσα ʻOhana Lūʻau Ndiyo Blue Red Green
    Black White Golden Silver Broken Lost Found Wild Free True Real Strange Sweet Bitter Cold
    Hot Deep High Low Slow Fast Long Short Big Little Old New First Last Only Lonely Crazy Happy
    Sad Good Bad Beautiful Ugly Mystery Magic Miracle Memory Story Letter Picture Mirror Shadow
    Light Darkness Silence Noise Sound Voice Whisper Scream Echo Signal Machine Motor City
    Street Corner Room House Window Door Garden River Ocean Sea Island Mountain Valley Desert
    Forest Tree Flower Rose Bird Wolf Tiger Horse Dog Cat Snake Spider Butterfly Train Car Plane
    Rocket Ship Boat Radio Telephone Television Computer Robot Space Planet Universe Gravity
    Velocity Acid Bass Drum Beat Groove Funk Jazz Blues Rock Disco House Techno Dub Reggae Tango
    Waltz Samba Bolero Symphony Sonata Prelude Fugue Nocturne Requiem Allegro Andante Adagio
    Scherzo Finale Overture Interlude Intro Outro Reprise Theme Suite Anthem Hymn Psalm Prayer
    Don't Can't Won't I'm You're It's We're They're Let's Ain't Gonna Wanna Rock'n'Roll R&amp;B
    Part Chapter Volume Zero One Two Three Seven Nine Hundred Thousand Million 808 909 303 1984
    2000 Lullaby Serenade Carnival Festival Parade Revolution Evolution Resolution Illusion
    Confusion Emotion Motion Devotion Potion Sensation Temptation Generation Nation Station
    Invitation Conversation Situation Destination Imagination
"""),
    512,
)

MIXES = table(
    (
        "(Original Mix)",
        "(Extended Mix)",
        "(Dub)",
        "(Instrumental)",
        "(Live)",
        "(Radio Edit)",
        "(Remastered)",
        "(Reprise)",
        "(Acapella)",
        '(12" Version)',
        "(Album Version)",
        "(Demo)",
        "(Take 2)",
        "(Bonus Track)",
        "(Mono)",
        "(Unplugged)",
    ),
    16,
)

LABEL_TAILS = table(
    (
        "Records",
        "Recordings",
        "Music",
        "Productions",
        "Entertainment",
        "Discos",
        "Schallplatten",
        "Disques",
        "Studios",
        "Publishing",
        "Sound",
        "Tapes",
        "Mastering",
        "Pressing",
        "GmbH",
        "Ltd.",
    ),
    16,
)

CATNO_PREFIXES = table(
    words("""
    SK CK RTD SVEK ESOL OVM PE SR BLU WARP MUTE TR HB JAM FAC CAD DMR LP EMI CBS RCA POL PHI MER
    COL DEC VER IMP ECM BYG ESP FMP
"""),
    32,
)

PLACES = table(
    listed("""
    Stockholm/Detroit/Chicago/London/Berlin/Köln/Düsseldorf/München/Paris/Lyon/Milano/Roma/
    Napoli/Madrid/Barcelona/Lisboa/São Paulo/Rio de Janeiro/Buenos Aires/Montréal/New York/
    Los Angeles/San Francisco/Nashville/Memphis/New Orleans/Kingston/Lagos/Accra/Dakar/Kinshasa/
    Cape Town/Cairo/İstanbul/Αθήνα/Москва/Санкт-Петербург/Kraków/Łódź/Praha/Brno/Budapest/
    Zagreb/Beograd/Reykjavík/København/Malmö/Göteborg/Helsinki/Tallinn/Rīga/Tōkyō/東京/Ōsaka/
    Seoul/台北/Hong Kong/Mumbai/Melbourne/Sydney/Auckland/Manchester/Bristol/Glasgow
"""),
    64,
)

_OPENINGS = listed("""
    Recorded at the Globe studio/Mastered and cut at the pressing plant/
    Released in a plain sleeve with a sticker/Comes with a printed insert and lyrics/
    Track durations are taken from the label/The song titles are given on the back cover only/
    First pressed in a run of five hundred copies/Made in the EU/
    All rights of the producer reserved/Published by the artist/Written while on tour/
    Taken from the forthcoming album/Limited numbered edition/
    Distributed on behalf of the owner/This is a promotional copy not for sale/
    Barcode is printed on a sticker/The catalogue number on the spine differs/
    Thanks to all friends &amp; families/Originally released on cassette/
    Also known under its working title/Photographs taken at the last concert/
    Produced for the radio/Mixed down to half-inch tape/Edited from a longer live recording/
    Not to be confused with the band of the same name/Electronic artist and producer/
    Singer, songwriter and multi-instrumentalist/Founded as a sub-label/
    Formed by school friends/Independent label run from a bedroom/
    Provided to YouTube by the distributor/Subscribe to the official channel/
    ℗ &amp; © of the company/Auto-generated by YouTube/Follow the artist on the web/
    Buy the record from the shop
""")
_CLOSINGS = [
    *(f", {place}." for place in PLACES),
    *(f" in {year}." for year in range(1962, 2026)),
    *(
        f", see [a={first} {last}]."
        for first, last in zip(FIRST_NAMES[:44], LAST_NAMES[40:84], strict=True)
    ),
    *(f" for [l={word} {tail}]." for word, tail in zip(NOUNS[:48], LABEL_TAILS * 3, strict=True)),
    *(f' ("{word}").' for word in TITLE_WORDS[60:96]),
]

# A sentence is an opening and a closing: tens of thousands of different ones.
OPENINGS = table(_OPENINGS, 64)
CLOSINGS = table(_CLOSINGS, 256)

URL_HOSTS = table(
    words("""
    www.facebook.com/ soundcloud.com/ www.instagram.com/ myspace.com/ twitter.com/
    en.wikipedia.org/wiki/ www.youtube.com/@ www.last.fm/music/ vimeo.com/ www.mixcloud.com/
    www.whosampled.com/ www.imdb.com/name/ linktr.ee/ open.spotify.com/artist/
    www.residentadvisor.net/dj/ de.wikipedia.org/wiki/
"""),
    16,
)
