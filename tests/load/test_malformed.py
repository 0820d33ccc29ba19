"""Malformed records and files, named after their defects, and the results of their loads.

A record that cannot be read is rejected, with its offset, id and reason, and all other records of
its file are loaded. A file that is not a dump, or damaged, is refused, and nothing is changed.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from discogs.database.connection import connector
from discogs.errors import DumpError
from discogs.load.stage import Sizes
from discogs.schema.entities import Entity, Month
from discogs.tracking.model import Status
from discogs.tracking.postgres import PostgresMonthRepository
from tests.conftest import SCHEMA, new_database
from tests.content import digests
from tests.load.conftest import load
from tests.load.defects import (
    CAP,
    DEFECTS,
    OTHERS,
    PACKED,
    REFUSED,
    SOUND,
    Defect,
    good,
    releases,
)

pytestmark = pytest.mark.slow

Fresh = Callable[[], str]

MAY, JUNE = Month(2026, 5), Month(2026, 6)


def write(folder: Path, data: bytes, month: Month = MAY, entity: Entity = Entity.RELEASES) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"discogs_{month.first_day:%Y%m%d}_{entity}.xml.gz"
    path.write_bytes(data)
    return folder


def number_of(index: int) -> int:
    return 1000 + 10 * index


def records() -> list[bytes]:
    """The malformed records, each between well-formed ones."""
    found = [good(1)]
    for index, each in enumerate(DEFECTS):
        number = number_of(index)
        found += [each.xml.replace(b"%d", str(number).encode()), good(number + 1)]
    return found


@dataclass(frozen=True)
class Loaded:
    """The result of a load of the malformed records."""

    data: bytes
    titles: dict[int, str | None]
    rejected: list[dict[str, Any]]
    counts: dict[str, int]


@pytest.fixture(scope="module", params=["fast", "careful", "shards"])
def loaded(
    request: pytest.FixtureRequest,
    server: str,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Loaded]:
    data = releases(*records())
    folder = write(tmp_path_factory.mktemp("malformed"), gzip.compress(data))
    how: dict[str, Any] = {
        "fast": {"sizes": Sizes(block=4_000, record=CAP)},
        "careful": {"sizes": Sizes(record=CAP), "engine": "careful"},
        "shards": {"sizes": Sizes(record=CAP), "shards": 3},
    }[request.param]
    with new_database(server, template=migrated_template) as dsn:
        (report,) = load(dsn, folder, MAY, max_rejected=1.0, **how).entities
        with psycopg.connect(dsn, row_factory=psycopg.rows.dict_row) as conn:
            titles = {
                row["id"]: row["title"] for row in conn.execute("SELECT * FROM discogs.releases")
            }
            rejected = conn.execute(
                "SELECT * FROM discogs.rejected_records ORDER BY byte_offset"
            ).fetchall()
        counts = {name: getattr(report, name) for name in ("read", "inserted", "rejected")}
        yield Loaded(data, titles, rejected, counts)


@pytest.mark.parametrize(
    ("index", "each"), list(enumerate(DEFECTS)), ids=[each.name for each in DEFECTS]
)
def test_a_malformed_record_is_rejected_alone_or_kept(
    loaded: Loaded, index: int, each: Defect
) -> None:
    number = number_of(index)
    xml = records()[1 + 2 * index]
    offset = loaded.data.index(b"\n" + xml + b"\n") + 1
    mine = [row for row in loaded.rejected if offset <= row["byte_offset"] < offset + len(xml) + 1]
    assert loaded.titles[number + 1] == "Good"
    if each.reason is None:
        assert mine == []
        if each.rejects:
            assert loaded.titles[number] == each.title
        return
    assert len(mine) == each.rejects
    assert number not in loaded.titles
    first = mine[0]
    assert first["byte_offset"] == offset
    assert any(reason in first["reason"] for reason in each.reason.split("|")), first["reason"]
    expected = number if each.known else 1 if each.name == "duplicate id" else None
    assert first["record_id"] == expected
    assert (first["year_month"], first["entity"]) == (str(MAY), "releases")
    assert first["xml"].startswith(xml[:10].decode())


def test_every_other_record_is_loaded_and_none_inside_another(loaded: Loaded) -> None:
    expected = {1} | {number_of(index) + 1 for index in range(len(DEFECTS))}
    expected |= {
        number_of(index)
        for index, each in enumerate(DEFECTS)
        if each.reason is None and each.rejects
    }
    assert set(loaded.titles) == expected


def test_every_record_read_is_counted_once(loaded: Loaded) -> None:
    rejects = sum(each.rejects for each in DEFECTS if each.reason is not None)
    assert len(loaded.rejected) == loaded.counts["rejected"] == rejects
    assert loaded.counts["inserted"] == len(loaded.titles)
    assert loaded.counts["read"] == loaded.counts["inserted"] + rejects


@pytest.mark.parametrize("entity", OTHERS)
def test_malformed_labels_artists_and_masters_are_rejected_alone(
    fresh: Fresh, tmp_path: Path, entity: Entity
) -> None:
    plain = f"<{entity.record}><id>{{}}</id></{entity.record}>"
    if entity is Entity.MASTERS:
        plain = f'<{entity.record} id="{{}}"></{entity.record}>'
    lines = [f"<{entity}>", plain.format(1)]
    for number, (record, _) in enumerate(OTHERS[entity], 20):
        lines += [record, plain.format(number)]
    text = "\n".join([*lines, f"</{entity}>\n"])
    write(tmp_path, gzip.compress(text.encode()), entity=entity)
    dsn = fresh()
    load(dsn, tmp_path, MAY)
    with psycopg.connect(dsn) as conn:
        ids = conn.execute(f"SELECT id FROM discogs.{entity} ORDER BY id").fetchall()
        rejected = conn.execute(
            "SELECT record_id, byte_offset, reason FROM discogs.rejected_records ORDER BY record_id"
        ).fetchall()
    assert ids == [(1,), *((20 + at,) for at in range(len(OTHERS[entity])))]
    assert [row[:2] for row in rejected] == [
        (5 + at, text.index(record)) for at, (record, _) in enumerate(OTHERS[entity])
    ]
    for (_, _, found), (_, reason) in zip(rejected, OTHERS[entity], strict=True):
        assert reason in found


# Files.


@pytest.fixture(scope="module")
def settled(
    server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with a month of well-formed records."""
    with new_database(server, template=migrated_template) as dsn:
        load(dsn, write(tmp_path_factory.mktemp("sound"), PACKED), MAY)
        yield dsn


@pytest.mark.parametrize(("data", "error", "why"), REFUSED.values(), ids=REFUSED)
def test_a_damaged_file_is_refused_and_nothing_is_changed(
    settled: str, tmp_path: Path, data: bytes, error: type[DumpError], why: str
) -> None:
    before = digests(settled)
    with pytest.raises(error, match=why) as caught:
        load(settled, write(tmp_path, data, JUNE), JUNE)
    assert not caught.value.transient
    assert "discogs_20260601_releases.xml.gz" in str(caught.value)
    assert digests(settled) == before
    record = PostgresMonthRepository(connector(settled, SCHEMA)).get(JUNE)
    assert record is not None
    assert (record.status, record.error_message) == (Status.FAILED, str(caught.value))


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(SOUND[:500]) + gzip.compress(SOUND[500:]),
        gzip.compress(b"\xef\xbb\xbf" + SOUND),
        gzip.compress(b'<?xml version="1.0" encoding="utf-8"?>\n' + SOUND),
        gzip.compress(SOUND.replace(b"\n", b"\r\n")),
        gzip.compress(SOUND.replace(b"\n", b"")),
        PACKED + b"\0" * 100,
    ],
    ids=["two gzip members", "BOM", "declaration", "CRLF", "no line breaks", "padded gzip"],
)
def test_a_file_with_an_unusual_format_is_loaded(fresh: Fresh, tmp_path: Path, data: bytes) -> None:
    (report,) = load(fresh(), write(tmp_path, data), MAY).entities
    assert (report.read, report.inserted, report.rejected) == (59, 59, 0)


@pytest.mark.parametrize("trailing", [b"\nsome text\n", b"<note/>", b"\0\0\0"])
def test_bytes_after_the_root_are_rejected_together(
    fresh: Fresh, tmp_path: Path, trailing: bytes
) -> None:
    dsn = fresh()
    (report,) = load(dsn, write(tmp_path, gzip.compress(SOUND + trailing)), MAY).entities
    assert (report.read, report.inserted, report.rejected) == (60, 59, 1)
    with psycopg.connect(dsn) as conn:
        row = conn.execute("SELECT byte_offset, reason FROM discogs.rejected_records").fetchone()
    assert row is not None
    assert row[0] == len(SOUND) - 1
    assert "after the end of the root element" in row[1]


# Rows of an earlier load.


UNCLOSED = b'<release id="30"><title>Broken</title>'
OVER_LONG = b'<release id="30"><title>' + b"x" * 2_000 + b"</title></release>"
MISMATCHED = b'<release id="30"><title>Broken</titel></release>'


@pytest.mark.parametrize(
    ("broken", "reason", "how"),
    [
        (UNCLOSED, "Premature end of data", {}),
        (UNCLOSED, "Premature end of data", {"engine": "careful", "shards": 2}),
        (UNCLOSED, "Premature end of data", {"shards": 3}),
        (OVER_LONG, "longer than", {}),
        (OVER_LONG, "longer than", {"shards": 2}),
        (MISMATCHED, "tag mismatch", {}),
    ],
    ids=["unclosed", "careful", "unclosed in 3 shards", "over-long", "in 2 shards", "mismatched"],
)
def test_a_malformed_record_of_a_later_month_changes_no_other(
    fresh: Fresh, tmp_path: Path, broken: bytes, reason: str, how: dict[str, Any]
) -> None:
    """Neither it nor those after it count as removed, and changed ones are changed."""
    dsn = fresh()
    load(dsn, write(tmp_path, PACKED), MAY)
    records = [good(number) for number in range(1, 60)]
    records[29] = broken
    records[30] = b'<release id="31"><title>New</title></release>'
    records[32] = b'<release id="33"><title>New</title></release>'
    write(tmp_path, gzip.compress(releases(*records)), JUNE)
    (report,) = load(dsn, tmp_path, JUNE, Sizes(record=1_000), **how).entities
    assert (report.read, report.unchanged, report.updated, report.rejected) == (59, 56, 2, 1)
    assert (report.removed, report.inserted) == (0, 0)
    with psycopg.connect(dsn) as conn:
        titles = dict(conn.execute("SELECT id, title FROM discogs.releases").fetchall())
        gone = conn.execute("SELECT id FROM discogs.releases WHERE removed_in IS NOT NULL")
        assert gone.fetchall() == []
        rejected = conn.execute("SELECT record_id, reason FROM discogs.rejected_records").fetchall()
    assert {number for number, title in titles.items() if title == "New"} == {31, 33}
    assert titles[30] == "Good"
    assert len(rejected) == 1
    assert rejected[0][0] == 30
    assert reason in rejected[0][1]


def test_a_record_that_is_well_formed_again_is_loaded(fresh: Fresh, tmp_path: Path) -> None:
    dsn = fresh()
    records = [good(number) for number in range(1, 9)]
    broken = [*records[:4], b'<release id="5"><title>Good</title>', *records[5:]]
    write(tmp_path, gzip.compress(releases(*broken)), MAY)
    write(tmp_path, gzip.compress(releases(*records)), JUNE)
    (may,) = load(dsn, tmp_path, MAY).entities
    (june,) = load(dsn, tmp_path, JUNE).entities
    assert (may.inserted, may.rejected) == (7, 1)
    assert (june.unchanged, june.inserted, june.rejected) == (7, 1, 0)


def test_what_the_mapping_does_not_read_is_reported(
    fresh: Fresh, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new = b'<release id="%d"><mood>dark</mood><title lang="en">A</title></release>'
    data = releases(good(1), *(new % number for number in range(2, 6)))
    dsn = fresh()
    with caplog.at_level(logging.WARNING, "discogs"):
        (report,) = load(dsn, write(tmp_path, gzip.compress(data)), MAY, shards=2).entities
    assert report.unmapped == {"release/mood": 4, "release/title/@lang": 4}
    assert "20260501_releases.xml.gz has elements or attributes that are not loaded" in caplog.text
    assert "release/mood" in caplog.text
    record = PostgresMonthRepository(connector(dsn, SCHEMA)).get(MAY)
    assert record is not None
    assert record.processing_stats["releases"]["unmapped"] == report.unmapped


UNFIT = """<master id="1"><artists><artist><id>abc</id><name>A</name></artist></artists>
<year>40000</year><main_release>-7</main_release><title>A&#0;B &#xD83D;&#xDE00;</title>
<videos><video src="u" duration="-" embed="maybe"><title>V</title></video></videos>
<images><image type="primary" uri="" width="600px" height="3000000000"/></images></master>"""


@pytest.mark.parametrize("engine", ["fast", "careful"])
def test_a_value_that_does_not_fit_becomes_null_and_is_reported(
    fresh: Fresh, tmp_path: Path, caplog: pytest.LogCaptureFixture, engine: str
) -> None:
    text = f"<masters>\n{UNFIT}\n<master id='2'><year>1999</year></master>\n</masters>\n"
    write(tmp_path, gzip.compress(text.encode()), entity=Entity.MASTERS)
    dsn = fresh()
    with caplog.at_level(logging.WARNING, "discogs"):
        report = load(dsn, tmp_path, MAY, engine=engine)
    (masters,) = report.entities
    assert (masters.read, masters.inserted, masters.rejected) == (2, 2, 0)
    paths = [
        "artists/artist/id",
        "images/image/@height",
        "images/image/@width",
        "main_release",
        "videos/video/@duration",
        "videos/video/@embed",
        "year",
    ]
    assert masters.invalid_values == {f"master/{path}": 1 for path in paths}
    assert masters.replaced_characters == 1
    assert "master/year (1 times)" in caplog.text
    assert "master/year (1)" in report.as_text()
    assert "U+FFFD: 1" in report.as_text()
    with psycopg.connect(dsn) as conn:
        masters_found = conn.execute(
            "SELECT title, year, main_release_id FROM discogs.masters ORDER BY id"
        ).fetchall()
        artist = conn.execute("SELECT artist_id, name FROM discogs.master_artists").fetchall()
        videos = conn.execute(
            "SELECT src, duration, embed, title FROM discogs.master_videos"
        ).fetchall()
        images = conn.execute("SELECT type, width, height FROM discogs.master_images").fetchall()
    assert masters_found == [("A\ufffdB \U0001f600", None, None), (None, 1999, None)]
    assert (artist, videos) == ([(None, "A")], [("u", None, None, "V")])
    assert images == [("primary", None, None)]


@pytest.mark.parametrize("sep", [b"", b"\n", b"\r\n\t"], ids=["one line", "lines", "indented"])
@pytest.mark.parametrize("how", [{}, {"shards": 3}], ids=["one shard", "three shards"])
def test_an_unclosed_record_of_a_later_month_does_not_remove_others(
    fresh: Fresh, tmp_path: Path, sep: bytes, how: dict[str, Any]
) -> None:
    dsn = fresh()
    records = [good(number) for number in range(1, 60)]
    write(tmp_path, gzip.compress(b"<releases>" + sep.join([*records, b"</releases>"])), MAY)
    records[29] = records[29].removesuffix(b"</release>")
    records.insert(40, b"<![CDATA[")
    write(tmp_path, gzip.compress(b"<releases>" + sep.join([*records, b"</releases>"])), JUNE)
    load(dsn, tmp_path, MAY)
    (june,) = load(dsn, tmp_path, JUNE, **how).entities
    assert (june.read, june.unchanged, june.rejected, june.removed) == (60, 58, 2, 0)


def test_a_dump_without_a_root_element_is_loaded(fresh: Fresh, tmp_path: Path) -> None:
    write(tmp_path, gzip.compress(b"\n".join(map(good, range(1, 6))) + b"\n"))
    (report,) = load(fresh(), tmp_path, MAY).entities
    assert (report.read, report.inserted, report.rejected) == (5, 5, 0)
