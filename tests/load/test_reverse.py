"""Nothing of a dump is lost: every text and attribute of its XML is found in the tables.

The files are read with lxml, without the mapping: of each record every value
is looked up among all values of all rows of that record, as often as it occurs.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from lxml import etree
from psycopg import sql

from discogs.schema.entities import Entity, Month
from tests.content import content_tables
from tests.load.conftest import load
from tests.sample.odd_records import write_months

pytestmark = pytest.mark.slow

Fresh = Callable[[], str]

#: Parts of keys, which are not values of the dump.
ORDINALS = {"seq", "parent_seq", "track_seq", "fingerprint", "dump_month"}
SPACE = " \t\r\n"
#: Characters that XML forbids pass through lxml as others, which no sample holds.
FORBIDDEN = {code: 0xE000 + code for code in range(1, 32) if code not in (9, 10, 13)}
REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]+)|([0-9]+));")


def allowed(text: str) -> str:
    """The file, without characters that XML forbids."""

    def stand_in(match: re.Match[str]) -> str:
        code = int(match[1], 16) if match[1] else int(match[2])
        return chr(FORBIDDEN[code]) if code in FORBIDDEN else match[0]

    return REFERENCE.sub(stand_in, text.translate(FORBIDDEN))


def values_in_xml(record: etree._Element) -> Iterator[tuple[str, str]]:
    """The attributes and texts of a record that have a meaning, each with its path."""
    for element in record.iter(etree.Element):
        path = "/".join(
            [*(e.tag for e in reversed(list(element.iterancestors())[:-1])), element.tag]
        )
        for name, value in element.attrib.items():
            yield f"{path}/@{name}", value
        yield path, element.text or ""
        for child in element:
            # No dump has text beside elements; if one has, it must be found as well.
            yield path, child.tail or ""


def means_nothing(path: str, value: str) -> bool:
    """The values that are not stored because they mean "none" or "unknown"."""
    last = path.rpartition("/")[2]
    return (
        not value  # empty and absent mean the same; space between elements is none
        or (value == "0" and last in ("id", "@id", "master_id"))  # id 0: no id
        or (value == "0" and path == "master/year")  # year 0: unknown
    )


def expected(record: etree._Element) -> Counter[str]:
    """How often each value must occur in the record's rows."""
    found: Counter[str] = Counter()
    for path, value in values_in_xml(record):
        value = value.strip(SPACE)
        if not means_nothing(path, value):
            found[value] += 1
    # Before December 2024 a member's id stood before its name as well as in it.
    for number in record.iterfind("members/id"):
        following = number.getnext()
        if following is not None and following.get("id") == number.text:
            found[number.text] -= 1
    return found


def values_in_tables(conn: psycopg.Connection, entity: Entity) -> dict[int, Counter[str]]:
    """The values of all rows of each record."""
    names = {
        number: name
        for table in ("genres", "styles")
        for number, name in conn.execute(f"SELECT id, name FROM discogs.{table}").fetchall()
    }
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for table in content_tables(conn):
        key = "id" if table == str(entity) else f"{entity.record}_id"
        rows = conn.execute(
            sql.SQL("SELECT to_jsonb(t) FROM {} t").format(sql.Identifier("discogs", table))
        ).fetchall()
        # A label's releases are rows of releases: only tables named after the record count.
        if table != str(entity) and not table.startswith(f"{entity.record}_"):
            continue
        for (row,) in rows:
            number = row[key]
            if table != str(entity):
                del row[key]
            for column, value in row.items():
                if column not in ORDINALS:
                    for text in _texts(names.get(value, value) if "_id" in column else value):
                        found[number][text.translate(FORBIDDEN)] += 1
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        yield str(value)


def lost(conn: psycopg.Connection, folder: Path, month: Month) -> list[str]:
    """The values of a month's files that are in no table."""
    missing: list[str] = []
    checked = 0
    for path in sorted(folder.glob(f"discogs_{month.first_day:%Y%m}??_*.xml.gz")):
        entity = Entity(path.name.split("_")[2].split(".")[0])
        tables = values_in_tables(conn, entity)
        data = allowed(gzip.decompress(path.read_bytes()).decode())
        root = etree.fromstring(data.encode(), etree.XMLParser(huge_tree=True))
        for record in root.iterchildren(entity.record):
            number = int(record.get("id") or record.findtext("id"))
            rows = tables.get(number, Counter())
            for value, times in expected(record).items():
                checked += 1
                # A number may have leading zeros.
                plain = str(int(value)) if value.isascii() and value.isdigit() else value
                if max(rows[value], rows[plain]) < times:
                    missing.append(f"{entity} {number}: {value!r} {times} times")
    assert checked > 300
    return missing


def load_all(fresh: Fresh, folder: Path, month: Month, **how: Any) -> str:
    dsn = fresh()
    report = load(dsn, folder, month, **how)
    assert {entity.entity: entity.rejected for entity in report.entities} == {
        entity.entity: 0 for entity in report.entities
    }
    assert all(entity.unmapped == {} for entity in report.entities)
    return dsn


@pytest.mark.parametrize(
    ("excerpt", "month"),
    [("2018", Month(2018, 1)), ("2025", Month(2025, 6)), ("2026-04", Month(2026, 4))],
)
def test_every_value_of_the_excerpts_is_in_the_tables(
    samples: Path, fresh: Fresh, excerpt: str, month: Month
) -> None:
    dsn = load_all(fresh, samples / excerpt, month)
    with psycopg.connect(dsn) as conn:
        assert lost(conn, samples / excerpt, month) == []


#: The columns that refer to a track without a key.
TRACKS_OF = {
    "release_track_artists": "track_seq",
    "release_track_credits": "track_seq",
    "release_tracks": "parent_seq",
}


@pytest.mark.parametrize(
    ("era", "engine"), [("2020", "fast"), ("2026", "fast"), ("2020", "careful")]
)
def test_every_value_of_a_month_with_odd_records_is_in_the_tables(
    fresh: Fresh, tmp_path: Path, era: Any, engine: str
) -> None:
    month = Month(2026, 5)
    write_months(tmp_path, month, releases=200, seed=11, era=era)
    dsn = load_all(fresh, tmp_path, month, engine=engine)
    with psycopg.connect(dsn) as conn:
        assert lost(conn, tmp_path, month) == []
        for table, column in TRACKS_OF.items():
            without = conn.execute(
                f"SELECT count(*) FILTER (WHERE t.seq IS NULL), count(*) FROM discogs.{table} r"
                " LEFT JOIN discogs.release_tracks t"
                f" ON (t.release_id, t.seq) = (r.release_id, r.{column})"
                f" WHERE r.{column} IS NOT NULL"
            ).fetchone()
            assert without is not None
            assert without[0] == 0 < without[1]


TAKEN_OUT = [
    "UPDATE releases SET notes = NULL WHERE id = 5",
    "DELETE FROM release_tracks WHERE release_id = 5",
    "UPDATE release_tracks SET title = title || ' ' WHERE release_id = 5",
    "UPDATE release_formats SET descriptions = NULL WHERE release_id = 5",
    "UPDATE release_artists SET artist_id = NULL WHERE release_id = 5",
    "DELETE FROM release_genres WHERE release_id = 5",
]


def test_a_lost_value_would_be_detected(fresh: Fresh, tmp_path: Path) -> None:
    """A check of this test: a value that is deleted from the tables is found to be lost."""
    record = (
        '<release id="5"><artists><artist><id>3</id><name>A</name></artist></artists>'
        "<title>T</title><genres><genre>Rock</genre></genres><notes>N</notes>"
        '<formats><format name="F" qty="1" text=""><descriptions><description>LP</description>'
        "</descriptions></format></formats>"
        "<tracklist><track><title>T</title></track></tracklist></release>"
    )
    others = [f'<release id="{n}"><title>{n}</title></release>' for n in range(10, 400)]
    text = "\n".join(["<releases>", record, *others, "</releases>\n"])
    (tmp_path / "discogs_20260501_releases.xml.gz").write_bytes(gzip.compress(text.encode()))
    month = Month(2026, 5)
    dsn = load_all(fresh, tmp_path, month)
    with psycopg.connect(dsn, options="-c search_path=discogs") as conn:
        assert lost(conn, tmp_path, month) == []
        for statement in TAKEN_OUT:
            assert conn.execute(statement).rowcount == 1
            missing = lost(conn, tmp_path, month)
            assert [line for line in missing if line.startswith("releases 5: ")] == missing != []
            conn.rollback()
