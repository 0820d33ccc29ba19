"""Hand-written records with peculiarities of the real dumps, and their rows."""

from __future__ import annotations

from typing import Any

import pytest

from discogs.schema.entities import Entity
from discogs.schema.values import name_id
from tests.records.reading import blocks, column, dump, read, release, root

LABELS, ARTISTS, MASTERS, RELEASES = Entity


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


def test_a_repeated_container_is_read(engine: Any) -> None:
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


def test_an_empty_genre_is_no_row(engine: Any) -> None:
    tables = release("<genres><genre/></genres>", engine)
    assert column(tables, "release_genres", "genre_id") == []


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


def test_unmapped_content_does_not_affect_other_fields(engine: Any) -> None:
    tables = release(
        '<mood deep="1">dark<title>not this</title></mood><title lang="en">T</title>', engine
    )
    assert root(tables, RELEASES)["title"] == "T"
