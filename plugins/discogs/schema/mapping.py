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


def _text(column: str, path: str | None = None) -> Field:
    return Field(column, column if path is None else path)


def _reference(column: str, path: str, table: str, before: str | None = None) -> Field:
    return Field(column, path, Type.INTEGER, references=table, before=before)


def _credits(table: str, path: str) -> Rows:
    return Rows(
        table,
        path,
        (
            _reference("artist_id", "id", "artists"),
            _text("name"),
            _text("anv"),
            _text("join_phrase", "join"),
            _text("role"),
            _text("tracks"),
        ),
    )


def _named(table: str, path: str, column: str, names: str) -> Rows:
    return Rows(table, path, (Field(column, "", references=names, by_name=True),))


def _texts(table: str, path: str, column: str) -> Rows:
    return Rows(table, path, (_text(column, ""),))


def _linked(table: str, path: str, what: str, to: str, before: str | None = None) -> Rows:
    fields = (_reference(f"{what}_id", "@id", to, before), _text(f"{what}_name", ""))
    return Rows(table, path, fields)


def _images(table: str) -> Rows:
    return Rows(
        table,
        "images/image",
        (
            _text("type", "@type"),
            _text("uri", "@uri"),
            _text("uri150", "@uri150"),
            Field("width", "@width", Type.INTEGER),
            Field("height", "@height", Type.INTEGER),
        ),
    )


def _videos(table: str) -> Rows:
    return Rows(
        table,
        "videos/video",
        (
            _text("src", "@src"),
            Field("duration", "@duration", Type.INTEGER),
            Field("embed", "@embed", Type.BOOLEAN),
            _text("title"),
            _text("description"),
        ),
    )


LABELS = EntityMapping(
    Entity.LABELS,
    "id",
    (
        _text("name"),
        _text("contact_info", "contactinfo"),
        _text("profile"),
        _text("data_quality"),
        _reference("parent_id", "parentLabel/@id", "labels"),
        _text("parent_name", "parentLabel"),
    ),
    (
        _texts("label_urls", "urls/url", "url"),
        _linked("label_sublabels", "sublabels/label", "sublabel", "labels"),
        _images("label_images"),
    ),
)

ARTISTS = EntityMapping(
    Entity.ARTISTS,
    "id",
    (
        _text("name"),
        _text("real_name", "realname"),
        _text("profile"),
        _text("data_quality"),
    ),
    (
        _texts("artist_urls", "urls/url", "url"),
        _texts("artist_name_variations", "namevariations/name", "name"),
        _linked("artist_aliases", "aliases/name", "alias", "artists", before="id"),
        _linked("artist_members", "members/name", "member", "artists", before="id"),
        _linked("artist_groups", "groups/name", "group", "artists", before="id"),
        _images("artist_images"),
    ),
)

MASTERS = EntityMapping(
    Entity.MASTERS,
    "@id",
    (
        _text("title"),
        Field("year", "year", Type.SMALLINT, zero_is_null=True),
        Field("main_release_id", "main_release", Type.INTEGER, zero_is_null=True),
        _text("data_quality"),
        _text("notes"),
    ),
    (
        _credits("master_artists", "artists/artist"),
        _named("master_genres", "genres/genre", "genre_id", "genres"),
        _named("master_styles", "styles/style", "style_id", "styles"),
        _videos("master_videos"),
        _images("master_images"),
    ),
)

_TRACKS = Rows(
    "release_tracks",
    "tracklist/track",
    (
        _text("position"),
        _text("title"),
        Field(
            "duration",
            "duration",
            derived=Derived((Column("duration_seconds", Type.INTEGER),), parse_duration),
        ),
    ),
    rows=(
        _credits("release_track_artists", "artists/artist"),
        _credits("release_track_credits", "extraartists/artist"),
    ),
    nests="sub_tracks/track",
    ordinal="track_seq",
)

RELEASES = EntityMapping(
    Entity.RELEASES,
    "@id",
    (
        _text("status", "@status"),
        _text("title"),
        _text("country"),
        Field(
            "released",
            "released",
            derived=Derived(
                (
                    Column("released_year", Type.SMALLINT),
                    Column("released_month", Type.SMALLINT),
                    Column("released_day", Type.SMALLINT),
                ),
                parse_released,
            ),
        ),
        _text("notes"),
        _text("data_quality"),
        _reference("master_id", "master_id", "masters"),
        Field("is_main_release", "master_id/@is_main_release", Type.BOOLEAN),
    ),
    (
        _credits("release_artists", "artists/artist"),
        _credits("release_credits", "extraartists/artist"),
        Rows(
            "release_labels",
            "labels/label",
            (
                _reference("label_id", "@id", "labels"),
                _text("name", "@name"),
                _text("catno", "@catno"),
            ),
        ),
        Rows(
            "release_series",
            "series/series",
            (
                _reference("series_id", "@id", "labels"),
                _text("name", "@name"),
                _text("catno", "@catno"),
            ),
        ),
        Rows(
            "release_formats",
            "formats/format",
            (
                _text("name", "@name"),
                _text("qty", "@qty"),
                _text("text", "@text"),
                Field("descriptions", "descriptions/description", Type.TEXT_ARRAY),
            ),
        ),
        _named("release_genres", "genres/genre", "genre_id", "genres"),
        _named("release_styles", "styles/style", "style_id", "styles"),
        _TRACKS,
        Rows(
            "release_identifiers",
            "identifiers/identifier",
            (
                _text("type", "@type"),
                _text("description", "@description"),
                _text("value", "@value"),
            ),
        ),
        _videos("release_videos"),
        Rows(
            "release_companies",
            "companies/company",
            (
                _reference("company_id", "id", "labels"),
                _text("name"),
                _text("catno"),
                _text("entity_type"),
                _text("entity_type_name"),
                _text("resource_url"),
            ),
        ),
        _images("release_images"),
    ),
)

MAPPINGS: dict[Entity, EntityMapping] = {
    mapping.entity: mapping for mapping in (LABELS, ARTISTS, MASTERS, RELEASES)
}

TABLES: dict[Entity, EntityTables] = {
    entity: mapping.tables() for entity, mapping in MAPPINGS.items()
}
