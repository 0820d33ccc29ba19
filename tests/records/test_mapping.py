"""Hand-written records, one a trap of the real dumps, and the rows that they must give."""

from __future__ import annotations

from typing import Any

import pytest

from discogs.catalogue import Entity
from discogs.records.mapping import TABLES
from discogs.records.values import name_id
from tests.records.reading import CAREFUL, ENGINES, Row, blocks, dump, read

LABELS, ARTISTS, MASTERS, RELEASES = Entity


@pytest.fixture(params=[ENGINES, CAREFUL], ids=["fast", "careful"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def release(inner: str, engine: Any, attributes: str = "") -> dict[str, list[Row]]:
    return read(RELEASES, f'<release id="7"{attributes}>{inner}</release>', engine=engine)


def root(tables: dict[str, list[Row]], entity: Entity) -> Row:
    (row,) = tables[str(entity)]
    return row


def column(tables: dict[str, list[Row]], table: str, name: str) -> list[Any]:
    return [row[name] for row in tables.get(table, [])]


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


def test_series_within_series_and_artists_within_artists_do_not_mix(engine: Any) -> None:
    tables = release(
        '<series><series name="S" catno="1" id="3"/></series>'
        "<artists><artist><id>1</id><name>A</name></artist></artists>"
        "<tracklist><track><artists><artist><id>2</id><name>B</name></artist></artists></track>"
        "</tracklist>",
        engine,
    )
    assert column(tables, "release_series", "series_id") == [3]
    assert column(tables, "release_artists", "artist_id") == [1]
    assert column(tables, "release_track_artists", "artist_id") == [2]


def test_children_may_come_in_any_order(engine: Any) -> None:
    tables = read(
        ARTISTS,
        '<artist><members><name id="4">Me</name></members><name>A</name><id>1</id></artist>',
        engine=engine,
    )
    assert root(tables, ARTISTS)["name"] == "A"
    assert column(tables, "artist_members", "member_id") == [4]


@pytest.mark.parametrize("empty", ["", "<title/>", "<title></title>", "<title> \n\t</title>"])
def test_empty_and_absent_mean_the_same(engine: Any, empty: str) -> None:
    assert root(release(empty, engine), RELEASES)["title"] is None


@pytest.mark.parametrize("empty", ["", ' text=""', ' text=" "'])
def test_empty_and_absent_attributes_mean_the_same(engine: Any, empty: str) -> None:
    tables = release(f'<formats><format name="CD" qty="1"{empty}/></formats>', engine)
    assert column(tables, "release_formats", "text") == [None]


def test_a_master_of_0_is_no_master(engine: Any) -> None:
    row = root(release('<master_id is_main_release="false">0</master_id>', engine), RELEASES)
    assert (row["master_id"], row["is_main_release"]) == (None, False)


def test_a_release_without_master_id_has_none(engine: Any) -> None:
    row = root(release("<title>T</title>", engine), RELEASES)
    assert (row["master_id"], row["is_main_release"], row["status"]) == (None, None, None)


def test_a_credit_without_id_or_with_0_is_unlinked(engine: Any) -> None:
    tables = release(
        "<artists><artist><name>A</name></artist><artist><id>0</id><name>B</name></artist>"
        "<artist><id/><name>C</name></artist></artists>",
        engine,
    )
    assert column(tables, "release_artists", "artist_id") == [None, None, None]
    assert column(tables, "release_artists", "name") == ["A", "B", "C"]


def test_a_company_without_id_is_unlinked(engine: Any) -> None:
    tables = release("<companies><company><name>C</name></company></companies>", engine)
    assert column(tables, "release_companies", "company_id") == [None]


def test_a_draft_is_a_release(engine: Any) -> None:
    assert root(release("", engine, ' status="Draft"'), RELEASES)["status"] == "Draft"


def test_identical_label_rows_are_both_kept(engine: Any) -> None:
    tables = release("<labels>" + '<label name="L" catno="C" id="5"/>' * 2 + "</labels>", engine)
    assert column(tables, "release_labels", "seq") == [1, 2]
    assert column(tables, "release_labels", "label_id") == [5, 5]


def test_identical_format_rows_are_both_kept(engine: Any) -> None:
    tables = release("<formats>" + '<format name="CD" qty="1" text=""/>' * 2 + "</formats>", engine)
    assert column(tables, "release_formats", "seq") == [1, 2]


@pytest.mark.parametrize("qty", ["1234567890" * 6 + "1234", "0002", "-1", "a few"])
def test_a_quantity_is_a_text(engine: Any, qty: str) -> None:
    tables = release(f'<formats><format name="CD" qty="{qty}" text=""/></formats>', engine)
    assert column(tables, "release_formats", "qty") == [qty]


def test_formats_without_descriptions_have_no_list(engine: Any) -> None:
    tables = release(
        '<formats><format name="A"/><format name="B"><descriptions/></format>'
        '<format name="C"><descriptions><description/></descriptions></format>'
        '<format name="D"><descriptions><description>x</description></descriptions></format>'
        "</formats>",
        engine,
    )
    assert column(tables, "release_formats", "descriptions") == [None, None, None, ["x"]]


def test_a_release_date_stays_as_text_beside_its_parts(engine: Any) -> None:
    row = root(release("<released>1999-03-00</released>", engine), RELEASES)
    assert row["released"] == "1999-03-00"
    assert (row["released_year"], row["released_month"], row["released_day"]) == (1999, 3, None)


def test_a_duration_that_is_no_time_stays_as_text(engine: Any) -> None:
    tables = release("<tracklist><track><duration>4'33</duration></track></tracklist>", engine)
    assert column(tables, "release_tracks", "duration") == ["4'33"]
    assert column(tables, "release_tracks", "duration_seconds") == [None]


SUB_TRACKS = (
    "<tracklist><track><title>1</title>"
    "<extraartists><artist><id>1</id></artist></extraartists>"
    "<sub_tracks><track><title>1a</title></track><track><title>1b</title>"
    "<artists><artist><id>2</id></artist></artists></track></sub_tracks></track>"
    "<track><title>Side Two</title></track>"
    "<track><title>2</title><sub_tracks><track><title>2a</title>"
    "<extraartists><artist><id>3</id></artist><artist><id>4</id></artist></extraartists>"
    "</track></sub_tracks></track></tracklist>"
)


def test_sub_tracks_count_in_the_order_of_the_document(engine: Any) -> None:
    tables = release(SUB_TRACKS, engine)
    assert [(row["seq"], row["parent_seq"], row["title"]) for row in tables["release_tracks"]] == [
        (1, None, "1"),
        (2, 1, "1a"),
        (3, 1, "1b"),
        (4, None, "Side Two"),
        (5, None, "2"),
        (6, 5, "2a"),
    ]
    assert [(r["track_seq"], r["artist_id"]) for r in tables["release_track_artists"]] == [(3, 2)]
    assert [
        (r["track_seq"], r["seq"], r["artist_id"]) for r in tables["release_track_credits"]
    ] == [(1, 1, 1), (6, 1, 3), (6, 2, 4)]


def test_sub_tracks_of_sub_tracks_are_kept(engine: Any) -> None:
    inner = "<track><title>c</title></track>"
    middle = f"<track><title>b</title><sub_tracks>{inner}</sub_tracks></track>"
    tables = release(
        f"<tracklist><track><title>a</title><sub_tracks>{middle}</sub_tracks></track></tracklist>",
        engine,
    )
    assert [(r["seq"], r["parent_seq"], r["title"]) for r in tables["release_tracks"]] == [
        (1, None, "a"),
        (2, 1, "b"),
        (3, 2, "c"),
    ]


def test_a_container_that_stands_twice_is_read_on(engine: Any) -> None:
    tables = release(
        "<tracklist><track><title>1</title></track></tracklist>"
        "<tracklist><track><title>2</title></track></tracklist>",
        engine,
    )
    assert [(r["seq"], r["title"]) for r in tables["release_tracks"]] == [(1, "1"), (2, "2")]


@pytest.mark.parametrize("tracklist", ["", "<tracklist/>", "<tracklist>\n</tracklist>"])
def test_a_release_may_have_no_tracks(engine: Any, tracklist: str) -> None:
    assert "release_tracks" not in release(tracklist, engine)


def test_a_video_may_have_neither_title_nor_description(engine: Any) -> None:
    tables = release('<videos><video src="s" duration="0" embed="true"/></videos>', engine)
    assert column(tables, "release_videos", "title") == [None]


def test_a_genre_may_be_a_number(engine: Any) -> None:
    tables = release("<genres><genre>7</genre><genre>7</genre></genres>", engine)
    assert column(tables, "release_genres", "genre_id") == [name_id("7")] * 2


def test_the_names_of_genres_and_styles_come_along(engine: Any) -> None:
    (block,), _ = blocks(
        RELEASES,
        dump(
            RELEASES,
            '<release id="1"><genres><genre>Rock</genre><genre/></genres>'
            "<styles><style>Punk</style></styles></release>",
        ),
    )
    assert engine[RELEASES].parse(block).names == {
        "genres": {name_id("Rock"): "Rock"},
        "styles": {name_id("Punk"): "Punk"},
    }


def test_an_empty_genre_is_a_row_without_name(engine: Any) -> None:
    tables = release("<genres><genre/></genres>", engine)
    assert column(tables, "release_genres", "genre_id") == [None]


TEXTS = {
    "no-break space": "\u00a0",
    "no-break spaces around": "\u00a0A\u00a0",
    "mojibake": "BjÃ¶rk â€“ DÃ©but ï¿½",
    "beyond the BMP": "𝄞 🎛️ e\u0301 \u200f\u05e9\u200e",
    "what COPY reads": "\\N\n\\.\nC:\\new \\x41 tab:\tend",
    "what arrays read": '{a,b} "quoted" NULL',
    "4,159 characters": "n" * 4159,
    "line breaks": "First\nSecond\n\n\tThird",
    "a byte order mark": "a\ufeffb",
    "a noncharacter": "a\ufdd1b\U0001fffe",
    "private use": "a\U00100007b",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_is_kept_to_the_letter(engine: Any, text: str) -> None:
    tables = release(f"<title>{text}</title><notes> {text}\n</notes>", engine)
    assert root(tables, RELEASES)["title"] == text
    assert root(tables, RELEASES)["notes"] == text


MARKUP = {
    "&lt;/release&gt;\n&lt;release id=&quot;1&quot;&gt;": '</release>\n<release id="1">',
    "&amp;amp;": "&amp;",
    "&#65;&#x42;": "AB",
    "]]&gt;": "]]>",
    "a ]]> b": "a ]]> b",
    "a<![CDATA[ <b> & ]]>c": "a <b> & c",
    "a<!-- b -->c": "ac",
    "a<?b c?>d": "ad",
    "a<b>c</b>d": "ad",
    "a\r\nb\rc&#13;\nd": "a\nb\nc\r\nd",
}


@pytest.mark.parametrize(("xml", "text"), MARKUP.items(), ids=range(len(MARKUP)))
def test_markup_in_a_text_is_read_as_xml_says(engine: Any, xml: str, text: str) -> None:
    assert root(release(f"<notes>{xml}</notes>", engine), RELEASES)["notes"] == text


ATTRIBUTES = {
    "&quot;It&apos;s&quot; &lt;3 &amp; &gt;": '"It\'s" <3 & >',
    "a>b": "a>b",
    "a<b": "a<b",
    "a\nb\tc": "a b c",
    "a&#10;b&#9;c": "a\nb\tc",
    " a ": "a",
}


@pytest.mark.parametrize(("xml", "text"), ATTRIBUTES.items(), ids=range(len(ATTRIBUTES)))
def test_markup_in_an_attribute_is_read_as_xml_says(engine: Any, xml: str, text: str) -> None:
    tables = release(f'<labels><label name="{xml}"/></labels>', engine)
    assert column(tables, "release_labels", "name") == [text]


FORBIDDEN = {
    "raw bell": ("a\x07b", "a\x07b"),
    "bell by reference": ("a&#x7;b", "a\x07b"),
    "every raw control": (
        "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32)])) + "x",
        "".join(map(chr, [*range(1, 9), 11, 12, *range(14, 32)])) + "x",
    ),
    "decimal reference": ("a&#27;[b", "a\x1b[b"),
    "U+FFFE raw and by reference": ("a\ufffe&#xFFFF;b", "a\ufffe\uffffb"),
    "NUL": ("a\0b", "a\ufffdb"),
    "NUL by reference": ("a&#0;&#x0;b", "a\ufffd\ufffdb"),
    "half of a surrogate pair": ("a&#xD83D;b", "a\ufffdb"),
    "beyond Unicode": ("a&#x110000;b", "a\ufffdb"),
    "beside private use": ("\x07\U00100007&#x100040;", "\x07\U00100007\U00100040"),
}


@pytest.mark.parametrize(("xml", "text"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_characters_that_xml_forbids_are_kept(engine: Any, xml: str, text: str) -> None:
    """But NUL, which PostgreSQL's text cannot hold, and what is no character at all."""
    tables = release(
        f'<title>A{xml}B</title><labels><label name="A{xml}B"/></labels>'
        f"<formats><format><descriptions><description>A{xml}B</description></descriptions>"
        "</format></formats>",
        engine,
    )
    assert root(tables, RELEASES)["title"] == f"A{text}B"
    assert column(tables, "release_labels", "name") == [f"A{text}B"]
    assert column(tables, "release_formats", "descriptions") == [[f"A{text}B"]]


def test_members_of_the_older_format_have_their_ids_once(engine: Any) -> None:
    tables = read(
        ARTISTS,
        '<artist><id>1</id><members><id>26</id><name id="26">A</name>'
        '<id>27</id><name id="27">B</name></members></artist>',
        engine=engine,
    )
    assert column(tables, "artist_members", "member_id") == [26, 27]
    assert column(tables, "artist_members", "member_name") == ["A", "B"]


def test_members_of_the_oldest_format_take_the_id_before_them(engine: Any) -> None:
    tables = read(
        ARTISTS,
        "<artist><id>1</id><members><id>26</id><name>A</name><name>B</name></members></artist>",
        "<artist><id>2</id><members><name>C</name></members></artist>",
        engine=engine,
    )
    assert column(tables, "artist_members", "member_id") == [26, None, None]
    assert column(tables, "artist_members", "member_name") == ["A", "B", "C"]


def test_images_before_the_id_are_read(engine: Any) -> None:
    image = '<image height="1" type="primary" uri="" uri150="" width="2"/>'
    tables = read(
        ARTISTS, f"<artist><images>{image}{image}</images><id>1</id></artist>", engine=engine
    )
    assert column(tables, "artist_images", "width") == [2, 2]
    assert column(tables, "artist_images", "uri") == [None, None]


def test_a_nameless_label_and_artist_have_no_name(engine: Any) -> None:
    assert (
        root(read(LABELS, "<label><id>212</id><name/></label>", engine=engine), LABELS)["name"]
        is None
    )
    assert (
        root(read(ARTISTS, "<artist><id>1</id></artist>", engine=engine), ARTISTS)["name"] is None
    )


def test_a_year_or_main_release_of_0_is_unknown(engine: Any) -> None:
    tables = read(
        MASTERS,
        '<master id="9"><main_release>0</main_release><year>0</year></master>',
        engine=engine,
    )
    assert (root(tables, MASTERS)["year"], root(tables, MASTERS)["main_release_id"]) == (None, None)


def test_a_record_of_a_third_of_a_megabyte_is_read(engine: Any) -> None:
    track = "<track><position>1</position><title>Field recording by the river</title></track>"
    tables = release(f"<tracklist>{track * 4000}</tracklist>", engine)
    assert len(tables["release_tracks"]) == 4000


def test_what_the_mapping_does_not_know_harms_nothing(engine: Any) -> None:
    tables = release(
        '<mood deep="1">dark<title>not this</title></mood><title lang="en">T</title>', engine
    )
    assert root(tables, RELEASES)["title"] == "T"


def test_every_table_of_the_mapping_is_written_by_some_record() -> None:
    """The hand-written records above leave out no table."""
    image = '<images><image width="1"/></images>'
    seen = set(read(RELEASES, FULL_RELEASE))
    seen |= set(
        read(
            MASTERS,
            f'<master id="1">{image}<artists><artist/></artists><genres><genre>a</genre></genres>'
            "<styles><style>a</style></styles><videos><video/></videos></master>",
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
