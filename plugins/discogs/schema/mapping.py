"""The mapping of the dumps' fields to columns; no other module names a field.

The parsers, COPY, the merge and the seed of the fingerprints follow from these declarations. A new
field is a line here and a migration; the next month fills it for every record. The mapping covers
the dumps of 2018 to 2026: a field that a dump does not have is NULL.
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
            _reference("artist_id", "id", "artists", about="artist; NULL if only a name is given"),
            _text("name", about="name of the artist in Discogs"),
            _text("anv", about="artist name variation: the name as printed, if it differs"),
            _text("join_phrase", "join", "text between this artist and the next, such as &"),
            _text("role", about="role, such as Producer, Mixed By [At Home]"),
            _text("tracks", about="tracks of the credit, such as A1 to A3, B2"),
        ),
        about=about,
    )


def _named(table: str, path: str, column: str, names: str, about: str) -> Rows:
    field = Field(column, "", references=names, by_name=True, about=f"id of the name in {names}")
    return Rows(table, path, (field,), about=about)


def _texts(table: str, path: str, column: str, each: str, about: str) -> Rows:
    return Rows(table, path, (_text(column, "", each),), about=about)


def _linked(
    table: str, path: str, what: str, to: str, about: str, before: str | None = None
) -> Rows:
    fields = (
        _reference(f"{what}_id", "@id", to, before, f"id of the {what}"),
        _text(f"{what}_name", "", f"name of the {what} in the record"),
    )
    return Rows(table, path, fields, about=about)


def _images(table: str) -> Rows:
    return Rows(
        table,
        "images/image",
        (
            _text("type", "@type", "primary or secondary"),
            _text("uri", "@uri", "URL of the image; not in the public dumps"),
            _text("uri150", "@uri150", "URL of its thumbnail; not in the public dumps"),
            Field("width", "@width", Type.INTEGER, about="width in pixels"),
            Field("height", "@height", Type.INTEGER, about="height in pixels"),
        ),
        about="images; in dumps before December 2024 only",
    )


def _videos(table: str) -> Rows:
    return Rows(
        table,
        "videos/video",
        (
            _text("src", "@src", "URL of the video"),
            Field("duration", "@duration", Type.INTEGER, about="duration in seconds"),
            Field("embed", "@embed", Type.BOOLEAN, about="whether pages may embed the video"),
            _text("title", about="title of the video"),
            _text("description", about="description of the video"),
        ),
        about="videos",
    )


def _quality(column: str = "data_quality") -> Field:
    return _text(
        column, about="data quality, voted by Discogs' users, such as Correct or Needs Vote"
    )


LABELS = EntityMapping(
    Entity.LABELS,
    "id",
    (
        _text("name", about="name; a number in brackets distinguishes namesakes"),
        _text("contact_info", "contactinfo", "addresses, telephone numbers; may be personal data"),
        _text("profile", about="description, in Discogs' markup"),
        _quality(),
        _reference("parent_id", "parentLabel/@id", "labels", about="parent label"),
        _text("parent_name", "parentLabel", "name of the parent label in the record"),
    ),
    (
        _texts("label_urls", "urls/url", "url", "URL", "websites of a label"),
        _linked("label_sublabels", "sublabels/label", "sublabel", "labels", "sublabels of a label"),
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
        _texts("artist_urls", "urls/url", "url", "URL", "websites of an artist"),
        _texts(
            "artist_name_variations",
            "namevariations/name",
            "name",
            "name variation",
            "name variations of an artist",
        ),
        _linked(
            "artist_aliases",
            "aliases/name",
            "alias",
            "artists",
            "aliases: other names of the same person or group",
            before="id",
        ),
        _linked(
            "artist_members", "members/name", "member", "artists", "members of a group", before="id"
        ),
        _linked(
            "artist_groups",
            "groups/name",
            "group",
            "artists",
            "groups that an artist is or was a member of",
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
            about="main release of the master; no foreign key, since releases are merged later",
        ),
        _quality(),
        _text("notes", about="notes"),
    ),
    (
        _credits("master_artists", "artists/artist", "artists of a master"),
        _named("master_genres", "genres/genre", "genre_id", "genres", "genres of a master"),
        _named("master_styles", "styles/style", "style_id", "styles", "styles of a master"),
        _videos("master_videos"),
        _images("master_images"),
    ),
    about="masters: groups of releases of the same recording",
)

_TRACKS = Rows(
    "release_tracks",
    "tracklist/track",
    (
        _text("position", about="position as printed, such as A1; NULL for a heading"),
        _text("title", about="title of the track, or text of the heading"),
        Field(
            "duration",
            "duration",
            derived=Derived(
                (
                    Column(
                        "duration_seconds",
                        Type.INTEGER,
                        about="duration in seconds; NULL if duration is not a time",
                    ),
                ),
                parse_duration,
            ),
            about="duration as printed, such as 4:45",
        ),
    ),
    rows=(
        _credits("release_track_artists", "artists/artist", "artists of a track"),
        _credits("release_track_credits", "extraartists/artist", "further credits of a track"),
    ),
    nests="sub_tracks/track",
    ordinal="track_seq",
    about="tracks, headings and sub-tracks of a release, in the order of the tracklist",
)

RELEASES = EntityMapping(
    Entity.RELEASES,
    "@id",
    (
        _text("status", "@status", "status, such as Accepted; in dumps before 2026 only"),
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
                        about="year of released, 1 to 9999; NULL if it has none",
                    ),
                    Column(
                        "released_month",
                        Type.SMALLINT,
                        about="month of released, 1 to 12; NULL if it has none",
                    ),
                    Column(
                        "released_day",
                        Type.SMALLINT,
                        about="day of released, 1 to 31; NULL if it has none",
                    ),
                ),
                parse_released,
            ),
            about="release date as in the dump: a date, a year, or a text such as 1980s",
        ),
        _text("notes", about="notes, in Discogs' markup"),
        _quality(),
        _reference("master_id", "master_id", "masters", about="master; NULL if it has none"),
        Field(
            "is_main_release",
            "master_id/@is_main_release",
            Type.BOOLEAN,
            about="whether the release is the main release of its master",
        ),
    ),
    (
        _credits("release_artists", "artists/artist", "artists of a release"),
        _credits("release_credits", "extraartists/artist", "further credits of a release"),
        Rows(
            "release_labels",
            "labels/label",
            (
                _reference("label_id", "@id", "labels", about="label"),
                _text("name", "@name", "name of the label in Discogs"),
                _text("catno", "@catno", "catalogue number, or the text none"),
            ),
            about="labels of a release, with catalogue numbers",
        ),
        Rows(
            "release_series",
            "series/series",
            (
                _reference("series_id", "@id", "labels", about="series, a row of labels"),
                _text("name", "@name", "name of the series in Discogs"),
                _text("catno", "@catno", "number in the series"),
            ),
            about="series of a release",
        ),
        Rows(
            "release_formats",
            "formats/format",
            (
                _text("name", "@name", "format, such as Vinyl, CD or File"),
                _text("qty", "@qty", "number of pieces; text, since it may have 64 digits"),
                _text("text", "@text", "free text, such as the colour"),
                Field(
                    "descriptions",
                    "descriptions/description",
                    Type.TEXT_ARRAY,
                    about="descriptions, such as {LP,Album,Stereo}",
                ),
            ),
            about="formats of a release",
        ),
        _named("release_genres", "genres/genre", "genre_id", "genres", "genres of a release"),
        _named("release_styles", "styles/style", "style_id", "styles", "styles of a release"),
        _TRACKS,
        Rows(
            "release_identifiers",
            "identifiers/identifier",
            (
                _text("type", "@type", "type, such as Barcode or Matrix / Runout"),
                _text(
                    "description",
                    "@description",
                    "free text that distinguishes several of one type",
                ),
                _text("value", "@value", "identifier as printed"),
            ),
            about="barcodes, matrix numbers and other identifiers of a release",
        ),
        _videos("release_videos"),
        Rows(
            "release_companies",
            "companies/company",
            (
                _reference("company_id", "id", "labels", about="company, a row of labels"),
                _text("name", about="name of the company in Discogs"),
                _text("catno", about="catalogue number of the company"),
                _text("entity_type", about="code of the company's role, such as 29"),
                _text("entity_type_name", about="role of the company, such as Mastered At"),
                _text("resource_url", about="URL of the company in Discogs' API"),
            ),
            about="companies that took part in a release",
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

#: Names of ids that many records refer to but no dump has.
PLACEHOLDER_NAMES: dict[Entity, dict[int, str]] = {
    Entity.ARTISTS: {194: "Various", 355: "Unknown Artist", 118760: "No Artist"}
}
