"""Records that fill all fields, and their rows."""

from __future__ import annotations

from typing import Any

from discogs.schema.entities import Entity
from discogs.schema.mapping import TABLES
from discogs.schema.values import name_id
from tests.records.reading import column, read, root

LABELS, ARTISTS, MASTERS, RELEASES = Entity

FULL_RELEASE = """<release id="7" status="Accepted"><images>
<image height="600" type="primary" uri="u" uri150="v" width="599"/></images>
<artists><artist><id>1</id><name>A</name><anv>An</anv><join>&amp;</join><role>R</role>
<tracks>1 to 2</tracks></artist></artists><title>T</title>
<labels><label name="L" catno="C" id="5"/></labels>
<series><series name="S" catno="2" id="6"/></series>
<extraartists><artist><id>2</id><name>B</name><role>Producer</role></artist></extraartists>
<formats><format name="Vinyl" qty="1" text="red"><descriptions><description>LP</description>
<description>Album</description></descriptions></format></formats>
<genres><genre>Rock</genre></genres><styles><style>Punk</style></styles>
<country>UK</country><released>1999-03-21</released><notes>N</notes>
<data_quality>Correct</data_quality><master_id is_main_release="true">9</master_id>
<tracklist><track><position>A1</position><title>One</title><duration>4:45</duration>
<artists><artist><id>3</id><name>C</name></artist></artists>
<extraartists><artist><id>4</id><name>D</name><role>Drums</role></artist></extraartists>
</track></tracklist>
<identifiers><identifier type="Barcode" description="d" value="v"/></identifiers>
<videos><video src="s" duration="61" embed="true"><title>VT</title><description>VD</description>
</video></videos>
<companies><company><id>8</id><name>Co</name><catno>CC</catno><entity_type>17</entity_type>
<entity_type_name>Pressed By</entity_type_name><resource_url>http</resource_url></company>
</companies></release>"""


def test_every_field_of_a_release_has_its_column(engine: Any) -> None:
    credit = {"anv": None, "join_phrase": None, "role": None, "tracks": None}
    track = {"release_id": 7, "track_seq": 1, "seq": 1}
    assert read(RELEASES, FULL_RELEASE, engine=engine) == {
        "releases": [
            {
                "id": 7,
                "status": "Accepted",
                "title": "T",
                "country": "UK",
                "released": "1999-03-21",
                "released_year": 1999,
                "released_month": 3,
                "released_day": 21,
                "notes": "N",
                "data_quality": "Correct",
                "master_id": 9,
                "is_main_release": True,
            }
        ],
        "release_artists": [
            {
                "release_id": 7,
                "seq": 1,
                "artist_id": 1,
                "name": "A",
                "anv": "An",
                "join_phrase": "&",
                "role": "R",
                "tracks": "1 to 2",
            }
        ],
        "release_credits": [
            {"release_id": 7, "seq": 1, "artist_id": 2, "name": "B", **credit, "role": "Producer"}
        ],
        "release_labels": [{"release_id": 7, "seq": 1, "label_id": 5, "name": "L", "catno": "C"}],
        "release_series": [{"release_id": 7, "seq": 1, "series_id": 6, "name": "S", "catno": "2"}],
        "release_formats": [
            {
                "release_id": 7,
                "seq": 1,
                "name": "Vinyl",
                "qty": "1",
                "text": "red",
                "descriptions": ["LP", "Album"],
            }
        ],
        "release_genres": [{"release_id": 7, "seq": 1, "genre_id": name_id("Rock")}],
        "release_styles": [{"release_id": 7, "seq": 1, "style_id": name_id("Punk")}],
        "release_tracks": [
            {
                "release_id": 7,
                "seq": 1,
                "parent_seq": None,
                "position": "A1",
                "title": "One",
                "duration": "4:45",
                "duration_seconds": 285,
            }
        ],
        "release_track_artists": [{**track, "artist_id": 3, "name": "C", **credit}],
        "release_track_credits": [
            {**track, "artist_id": 4, "name": "D", **credit, "role": "Drums"}
        ],
        "release_identifiers": [
            {"release_id": 7, "seq": 1, "type": "Barcode", "description": "d", "value": "v"}
        ],
        "release_videos": [
            {
                "release_id": 7,
                "seq": 1,
                "src": "s",
                "duration": 61,
                "embed": True,
                "title": "VT",
                "description": "VD",
            }
        ],
        "release_companies": [
            {
                "release_id": 7,
                "seq": 1,
                "company_id": 8,
                "name": "Co",
                "catno": "CC",
                "entity_type": "17",
                "entity_type_name": "Pressed By",
                "resource_url": "http",
            }
        ],
        "release_images": [
            {
                "release_id": 7,
                "seq": 1,
                "type": "primary",
                "uri": "u",
                "uri150": "v",
                "width": 599,
                "height": 600,
            }
        ],
    }


def test_every_field_of_a_master_has_its_column(engine: Any) -> None:
    tables = read(
        MASTERS,
        '<master id="9"><main_release>7</main_release><artists><artist><id>1</id><name>A</name>'
        "</artist></artists><genres><genre>Rock</genre></genres><styles><style>Punk</style>"
        "</styles><year>1999</year><title>T</title><data_quality>Q</data_quality><notes>N</notes>"
        '<videos><video src="s" duration="0" embed="false"/></videos></master>',
        engine=engine,
    )
    assert root(tables, MASTERS) == {
        "id": 9,
        "title": "T",
        "year": 1999,
        "main_release_id": 7,
        "data_quality": "Q",
        "notes": "N",
    }
    assert column(tables, "master_artists", "artist_id") == [1]
    assert column(tables, "master_genres", "genre_id") == [name_id("Rock")]
    assert column(tables, "master_styles", "style_id") == [name_id("Punk")]
    assert column(tables, "master_videos", "duration") == [0]
    assert column(tables, "master_videos", "embed") == [False]


def test_every_field_of_an_artist_has_its_column(engine: Any) -> None:
    tables = read(
        ARTISTS,
        "<artist><id>1</id><name>A</name><realname>R</realname><profile>P</profile>"
        "<data_quality>Q</data_quality><urls><url>u1</url><url>u2</url></urls>"
        "<namevariations><name>V</name></namevariations>"
        '<aliases><name id="2">Al</name></aliases><groups><name id="3">Gr</name></groups>'
        '<members><name id="4">Me</name></members></artist>',
        engine=engine,
    )
    assert tables == {
        "artists": [{"id": 1, "name": "A", "real_name": "R", "profile": "P", "data_quality": "Q"}],
        "artist_urls": [
            {"artist_id": 1, "seq": 1, "url": "u1"},
            {"artist_id": 1, "seq": 2, "url": "u2"},
        ],
        "artist_name_variations": [{"artist_id": 1, "seq": 1, "name": "V"}],
        "artist_aliases": [{"artist_id": 1, "seq": 1, "alias_id": 2, "alias_name": "Al"}],
        "artist_groups": [{"artist_id": 1, "seq": 1, "group_id": 3, "group_name": "Gr"}],
        "artist_members": [{"artist_id": 1, "seq": 1, "member_id": 4, "member_name": "Me"}],
    }


def test_every_field_of_a_label_has_its_column(engine: Any) -> None:
    tables = read(
        LABELS,
        "<label><id>5</id><name>L</name><contactinfo>C</contactinfo><profile>P</profile>"
        '<data_quality>Q</data_quality><parentLabel id="6">Parent</parentLabel>'
        "<urls><url>u</url></urls>"
        '<sublabels><label id="7">S1</label><label id="8">S2</label></sublabels></label>',
        engine=engine,
    )
    assert root(tables, LABELS) == {
        "id": 5,
        "name": "L",
        "contact_info": "C",
        "profile": "P",
        "data_quality": "Q",
        "parent_id": 6,
        "parent_name": "Parent",
    }
    assert column(tables, "label_urls", "url") == ["u"]
    assert column(tables, "label_sublabels", "sublabel_id") == [7, 8]
    assert column(tables, "label_sublabels", "sublabel_name") == ["S1", "S2"]


def test_every_table_of_the_mapping_is_written_by_some_record() -> None:
    """The hand-written records above leave out no table."""
    image = '<images><image width="1"/></images>'
    seen = set(read(RELEASES, FULL_RELEASE))
    seen |= set(
        read(
            MASTERS,
            f'<master id="1">{image}<artists><artist><anv/></artist></artists>'
            "<genres><genre>a</genre></genres>"
            "<styles><style>a</style></styles><videos><video src=''/></videos></master>",
        )
    )
    linked = "".join(f"<{e}><name>x</name></{e}>" for e in ("aliases", "groups", "members"))
    seen |= set(
        read(
            ARTISTS,
            f"<artist>{image}<id>1</id>{linked}<urls><url>u</url></urls>"
            "<namevariations><name>n</name></namevariations></artist>",
        )
    )
    seen |= set(
        read(
            LABELS,
            f"<label>{image}<id>1</id><urls><url>u</url></urls>"
            '<sublabels><label id="2">s</label></sublabels></label>',
        )
    )
    assert seen == {table.name for tables in TABLES.values() for table in tables.all}
