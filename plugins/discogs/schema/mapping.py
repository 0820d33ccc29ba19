"""The one place that names the fields of the dump.

Both parsers, the COPY column lists, the merge and the fingerprints' seed are driven by these
declarations; a new field is one line here and one migration, and the next month fills it for
every record. The shapes are those of the dumps of 2018 to 2026: a field that an era lacks is
NULL.
"""

from __future__ import annotations

from discogs.schema.entities import Entity
from discogs.schema.model import Derived, EntityMapping, Field, Rows
from discogs.schema.tables import Column, EntityTables, Type
from discogs.schema.values import parse_duration, parse_released


def _text(column: str, path: str | None = None, about: str = "") -> Field:
    return Field(column, column if path is None else path, about=about)


def _reference(
    column: str, path: str, table: str, before: str | None = None, about: str = ""
) -> Field:
    return Field(column, path, Type.INTEGER, references=table, before=before, about=about)


def _credits(table: str, path: str, about: str) -> Rows:
    return Rows(
        table,
        path,
        (
            _reference("artist_id", "id", "artists", about="the artist; NULL for a bare name"),
            _text("name", about="the artist's name as Discogs lists it"),
            _text("anv", about="artist name variation: the name as printed, where it differs"),
            _text("join_phrase", "join", "the text between this artist and the next, such as &"),
            _text("role", about="what was done, such as Producer, Mixed By [At Home]"),
            _text("tracks", about="the tracks that the credit is for, such as A1 to A3, B2"),
        ),
        about=about,
    )


def _named(table: str, path: str, column: str, names: str, about: str) -> Rows:
    field = Field(column, "", references=names, by_name=True, about=f"id of the name in {names}")
    return Rows(table, path, (field,), about=about)


def _texts(table: str, path: str, column: str, about: str) -> Rows:
    return Rows(table, path, (_text(column, "", about),), about=about)


def _linked(
    table: str, path: str, what: str, to: str, about: str, before: str | None = None
) -> Rows:
    fields = (
        _reference(f"{what}_id", "@id", to, before, f"id of the {what}"),
        _text(f"{what}_name", "", f"name of the {what} as the record gives it"),
    )
    return Rows(table, path, fields, about=about)


def _images(table: str) -> Rows:
    return Rows(
        table,
        "images/image",
        (
            _text("type", "@type", "primary or secondary"),
            _text("uri", "@uri", "address of the image; empty in the public dumps"),
            _text("uri150", "@uri150", "address of its thumbnail; empty in the public dumps"),
            Field("width", "@width", Type.INTEGER, about="pixels"),
            Field("height", "@height", Type.INTEGER, about="pixels"),
        ),
        about="images; in dumps before December 2024 only",
    )


def _videos(table: str) -> Rows:
    return Rows(
        table,
        "videos/video",
        (
            _text("src", "@src", "address of the video"),
            Field("duration", "@duration", Type.INTEGER, about="seconds"),
            Field("embed", "@embed", Type.BOOLEAN, about="whether it may be embedded in pages"),
            _text("title", about="title of the video"),
            _text("description", about="description of the video"),
        ),
        about="videos",
    )


def _quality(column: str = "data_quality") -> Field:
    return _text(
        column, about="data quality as voted by Discogs' users, such as Correct or Needs Vote"
    )


LABELS = EntityMapping(
    Entity.LABELS,
    "id",
    (
        _text("name", about="name; a number in brackets distinguishes namesakes"),
        _text("contact_info", "contactinfo", "addresses and telephones; may be personal data"),
        _text("profile", about="description, in Discogs' markup"),
        _quality(),
        _reference("parent_id", "parentLabel/@id", "labels", about="the label above it"),
        _text("parent_name", "parentLabel", "name of the label above it, as the record gives it"),
    ),
    (
        _texts("label_urls", "urls/url", "url", "a label's addresses on the web"),
        _linked("label_sublabels", "sublabels/label", "sublabel", "labels", "a label's sublabels"),
        _images("label_images"),
    ),
    about="record labels and companies",
)

ARTISTS = EntityMapping(
    Entity.ARTISTS,
    "id",
    (
        _text("name", about="name; a number in brackets distinguishes namesakes"),
        _text("real_name", "realname", "the person's name"),
        _text("profile", about="description, in Discogs' markup"),
        _quality(),
    ),
    (
        _texts("artist_urls", "urls/url", "url", "an artist's addresses on the web"),
        _texts(
            "artist_name_variations",
            "namevariations/name",
            "name",
            "other spellings of an artist's name",
        ),
        _linked(
            "artist_aliases",
            "aliases/name",
            "alias",
            "artists",
            "the same person or group under other names",
            before="id",
        ),
        _linked(
            "artist_members", "members/name", "member", "artists", "a group's members", before="id"
        ),
        _linked(
            "artist_groups",
            "groups/name",
            "group",
            "artists",
            "the groups that an artist is or was a member of",
            before="id",
        ),
        _images("artist_images"),
    ),
    about="artists and groups",
)

MASTERS = EntityMapping(
    Entity.MASTERS,
    "@id",
    (
        _text("title", about="title"),
        Field("year", "year", Type.SMALLINT, zero_is_null=True, about="year of the first release"),
        Field(
            "main_release_id",
            "main_release",
            Type.INTEGER,
            zero_is_null=True,
            about="the main release of the master; no foreign key, since releases are merged later",
        ),
        _quality(),
        _text("notes", about="notes"),
    ),
    (
        _credits("master_artists", "artists/artist", "a master's artists"),
        _named("master_genres", "genres/genre", "genre_id", "genres", "a master's genres"),
        _named("master_styles", "styles/style", "style_id", "styles", "a master's styles"),
        _videos("master_videos"),
        _images("master_images"),
    ),
    about="masters: what the versions of one recording have in common",
)

_TRACKS = Rows(
    "release_tracks",
    "tracklist/track",
    (
        _text("position", about="as printed, such as A1; NULL for a heading"),
        _text("title", about="title of the track, or text of the heading"),
        Field(
            "duration",
            "duration",
            derived=Derived(
                (
                    Column(
                        "duration_seconds",
                        Type.INTEGER,
                        about="seconds, computed from duration where that is a time",
                    ),
                ),
                parse_duration,
            ),
            about="as printed, such as 4:45",
        ),
    ),
    rows=(
        _credits("release_track_artists", "artists/artist", "a track's artists"),
        _credits("release_track_credits", "extraartists/artist", "a track's further credits"),
    ),
    nests="sub_tracks/track",
    ordinal="track_seq",
    about="a release's tracks, headings and sub-tracks, in the order of the tracklist",
)

RELEASES = EntityMapping(
    Entity.RELEASES,
    "@id",
    (
        _text("status", "@status", "such as Accepted; in dumps before 2026 only"),
        _text("title", about="title"),
        _text("country", about="country or region of the release"),
        Field(
            "released",
            "released",
            derived=Derived(
                (
                    Column(
                        "released_year",
                        Type.SMALLINT,
                        about="year of released, 1 to 9999; NULL where it gives none",
                    ),
                    Column(
                        "released_month",
                        Type.SMALLINT,
                        about="month of released, 1 to 12; NULL where it gives none",
                    ),
                    Column(
                        "released_day",
                        Type.SMALLINT,
                        about="day of released, 1 to 31; NULL where it gives none",
                    ),
                ),
                parse_released,
            ),
            about="as written in the dump: a date, a year, or a text such as 1980s",
        ),
        _text("notes", about="notes, in Discogs' markup"),
        _quality(),
        _reference("master_id", "master_id", "masters", about="its master; NULL without one"),
        Field(
            "is_main_release",
            "master_id/@is_main_release",
            Type.BOOLEAN,
            about="whether it is the main release of its master",
        ),
    ),
    (
        _credits("release_artists", "artists/artist", "a release's artists"),
        _credits("release_credits", "extraartists/artist", "a release's further credits"),
        Rows(
            "release_labels",
            "labels/label",
            (
                _reference("label_id", "@id", "labels", about="the label"),
                _text("name", "@name", "the label's name as Discogs lists it"),
                _text("catno", "@catno", "catalogue number; none where there is none"),
            ),
            about="the labels that a release is on, with its catalogue numbers",
        ),
        Rows(
            "release_series",
            "series/series",
            (
                _reference("series_id", "@id", "labels", about="the series, which is a label"),
                _text("name", "@name", "the series' name as Discogs lists it"),
                _text("catno", "@catno", "number in the series"),
            ),
            about="the series that a release belongs to",
        ),
        Rows(
            "release_formats",
            "formats/format",
            (
                _text("name", "@name", "such as Vinyl, CD or File"),
                _text("qty", "@qty", "number of pieces; text, since it may have 64 digits"),
                _text("text", "@text", "free text, such as the colour"),
                Field(
                    "descriptions",
                    "descriptions/description",
                    Type.TEXT_ARRAY,
                    about="such as {LP,Album,Stereo}",
                ),
            ),
            about="what a release is made of",
        ),
        _named("release_genres", "genres/genre", "genre_id", "genres", "a release's genres"),
        _named("release_styles", "styles/style", "style_id", "styles", "a release's styles"),
        _TRACKS,
        Rows(
            "release_identifiers",
            "identifiers/identifier",
            (
                _text("type", "@type", "such as Barcode or Matrix / Runout"),
                _text("description", "@description", "which one of several, as free text"),
                _text("value", "@value", "the identifier as printed"),
            ),
            about="a release's barcodes, matrix numbers and other identifiers",
        ),
        _videos("release_videos"),
        Rows(
            "release_companies",
            "companies/company",
            (
                _reference("company_id", "id", "labels", about="the company, which is a label"),
                _text("name", about="the company's name as Discogs lists it"),
                _text("catno", about="the company's number for the release"),
                _text("entity_type", about="code of what the company did, such as 29"),
                _text("entity_type_name", about="what the company did, such as Mastered At"),
                _text("resource_url", about="the company's address in Discogs' API"),
            ),
            about="the companies that had a part in a release",
        ),
        _images("release_images"),
    ),
    about="releases: one edition of a recording, as pressed or published",
)

MAPPINGS: dict[Entity, EntityMapping] = {
    mapping.entity: mapping for mapping in (LABELS, ARTISTS, MASTERS, RELEASES)
}

TABLES: dict[Entity, EntityTables] = {
    entity: mapping.tables() for entity, mapping in MAPPINGS.items()
}

#: Ids that are credited everywhere and in no dump, yet have a name of their own.
PLACEHOLDER_NAMES: dict[Entity, dict[int, str]] = {
    Entity.ARTISTS: {194: "Various", 355: "Unknown Artist", 118760: "No Artist"}
}
