"""The content of a Parquet export: the rows, columns and counts that a load gives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from discogs.load.export import ExportSizes
from discogs.load.parquet import ParquetSizes, compact
from discogs.schema.dictionary import tables as described_tables
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES
from discogs.schema.model import STATE
from tests.conftest import PROJECT, new_database
from tests.dump_files import write_dump
from tests.load.conftest import FIRST, load
from tests.load.exporting import content, export, files, manifest, query
from tests.records.reading import PARSERS, blocks, dump

pytestmark = pytest.mark.slow

#: Columns that an export does not have: those of the merge, and the month, which is the partition.
LEFT_OUT = {column.name for column in STATE} | {"dump_month"}
NAMES = ["genres", "styles"]
TABLE_NAMES = [table.name for tables in TABLES.values() for table in tables.all] + NAMES
#: Many row groups and files, however small the tables are.
SMALL = ExportSizes(block=64 * 1024, parquet=ParquetSizes(rows=500, group=1 << 15, file=1 << 14))


@pytest.fixture(scope="module")
def loaded(server: str, dumps: Path) -> Iterator[psycopg.Connection]:
    """A database that holds the first month alone."""
    with new_database(server) as dsn:
        load(dsn, dumps, FIRST)
        with psycopg.connect(dsn) as conn:
            yield conn


def columns(conn: psycopg.Connection, table: str) -> list[tuple[str, str]]:
    return [
        (str(name), str(kind))
        for name, kind in conn.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [f"discogs.{table}"],
        )
        if name not in LEFT_OUT
    ]


@pytest.mark.parametrize("table", TABLE_NAMES)
def test_the_exported_rows_are_those_of_the_tables(
    exported: Path, loaded: psycopg.Connection, table: str
) -> None:
    names = [name for name, _ in columns(loaded, table)]
    listed = ", ".join(f'"{name}"' for name in names)
    keys = "1, 2, 3" if len(names) > 2 else "1, 2"
    live = " WHERE NOT placeholder" if table in TABLES else ""

    rows = query(f"SELECT {listed} FROM {files(exported, table)} ORDER BY {keys}")

    expected = loaded.execute(
        f"SELECT {listed} FROM discogs.{table}{live} ORDER BY {keys}"
    ).fetchall()
    assert rows == expected
    images = table.endswith("_images")  # which the public dumps no longer have
    assert rows or images


def test_the_exported_columns_and_types_are_those_of_the_tables(
    exported: Path, loaded: psycopg.Connection
) -> None:
    types = {
        "INTEGER": "integer",
        "SMALLINT": "smallint",
        "BIGINT": "bigint",
        "VARCHAR": "text",
        "VARCHAR[]": "text[]",
        "BOOLEAN": "boolean",
    }
    for table in TABLE_NAMES:
        query_text = f"DESCRIBE SELECT * EXCLUDE dump_month FROM {files(exported, table)}"
        found = [(name, types[kind]) for name, kind, *_ in query(query_text)]
        assert sorted(found) == sorted(columns(loaded, table)), table
    assert {table.name for table in described_tables()} == set(TABLE_NAMES)


def test_rejected_records_are_exported_with_the_reason(
    month_folder: Path, database: str, tmp_path: Path
) -> None:
    write_dump(
        month_folder,
        FIRST,
        Entity.LABELS,
        "<label><id>1</id><name>One</name></label>",
        "<label><id>2</id><name>Two</nome></label>",
        "<label><name>without an id</name></label>",
        "<label><id>1</id><name>again</name></label>",
        *(f"<label><id>{n}</id><name>N</name></label>" for n in range(10, 20)),
    )
    (month_folder / f"discogs_{FIRST.first_day:%Y%m%d}_CHECKSUM.txt").unlink()
    out = tmp_path / "out"

    report = export(month_folder, out, entities=[Entity.LABELS])

    load(database, month_folder, FIRST)
    chosen = "entity, byte_offset, record_id, reason, xml"
    rejected = query(f"SELECT {chosen} FROM {files(out, 'rejected_records')} ORDER BY 1, 2")
    with psycopg.connect(database) as conn:
        expected = conn.execute(
            f"SELECT {chosen} FROM discogs.rejected_records WHERE entity = 'labels' ORDER BY 1, 2"
        ).fetchall()
    assert rejected == expected
    assert [number for _, _, number, _, _ in rejected] == [2, None, 1]
    counts = report.entities[Entity.LABELS]
    assert (counts.read, counts.exported, counts.rejected) == (14, 11, 3)
    assert not counts.verified


def test_the_manifest_names_the_files_their_rows_and_their_source(
    exported: Path, dumps: Path
) -> None:
    found = manifest(exported)

    assert (found["month"], found["format"], found["filter"]) == (str(FIRST), 1, "")
    assert list(found["entities"]) == [str(entity) for entity in Entity]
    for entity, counts in found["entities"].items():
        published = (dumps / f"discogs_{FIRST.first_day:%Y%m%d}_CHECKSUM.txt").read_text()
        assert f"{counts['sha256']} " in published
        assert counts["verified"]
        assert counts["exported"] == found["tables"][entity]["rows"]
    named = {file["path"]: file for table in found["tables"].values() for file in table["files"]}
    assert named.keys() == content(exported).keys()
    for path, file in named.items():
        assert (exported / path).stat().st_size == file["bytes"]
        [(rows,)] = query(f"SELECT count(*) FROM '{exported / path}'")
        assert rows == file["rows"]


def test_the_files_are_the_same_whatever_the_number_of_threads(
    exported: Path, dumps: Path, tmp_path: Path
) -> None:
    export(dumps, tmp_path / "one", workers=1)
    export(dumps, tmp_path / "many", workers=5)

    assert content(tmp_path / "one") == content(tmp_path / "many") == content(exported)


def test_shards_together_have_the_rows_and_counts_of_one_export(
    exported: Path, dumps: Path, tmp_path: Path
) -> None:
    export(dumps, tmp_path, shards=3)

    for table in [*TABLE_NAMES, "rejected_records"]:
        assert query(f"FROM {files(tmp_path, table)} ORDER BY ALL") == query(
            f"FROM {files(exported, table)} ORDER BY ALL"
        ), table
    whole, sharded = manifest(exported), manifest(tmp_path)
    for entity, counts in sharded["entities"].items():
        assert counts | {"seconds": 0} == whole["entities"][entity] | {"seconds": 0}
    named = [file["path"] for table in sharded["tables"].values() for file in table["files"]]
    assert sorted(named) == sorted(content(tmp_path))
    assert len(sharded["tables"]["release_tracks"]["files"]) == 3
    for number in range(3):
        place = f"{tmp_path}/releases/dump_month={FIRST}/part-{number:04d}.parquet"
        assert query(f"SELECT DISTINCT id % 3 FROM '{place}'") == [(number,)]


def test_a_table_may_have_several_files_and_row_groups(
    exported: Path, dumps: Path, tmp_path: Path
) -> None:
    export(dumps, tmp_path, sizes=SMALL)

    [(number, groups)] = query(
        "SELECT count(DISTINCT file_name), count(DISTINCT (file_name, row_group_id))"
        f" FROM parquet_metadata('{tmp_path}/release_tracks/*/*.parquet')"
    )
    assert number > 1
    assert groups > number
    for table in TABLE_NAMES:
        assert query(f"FROM {files(tmp_path, table)} ORDER BY ALL") == query(
            f"FROM {files(exported, table)} ORDER BY ALL"
        ), table


def test_a_filter_applies_to_the_export(dumps: Path, database: str, tmp_path: Path) -> None:
    conditions = "releases:country=Germany|US; masters:genre=Rock"
    report = export(dumps, tmp_path, filter=conditions)

    load(database, dumps, FIRST, filter=conditions)
    with psycopg.connect(database) as conn:
        for table in ("releases", "masters", "release_tracks", "master_genres", "genres"):
            live = " WHERE NOT placeholder" if table in TABLES else ""
            [(count,)] = conn.execute(f"SELECT count(*) FROM discogs.{table}{live}").fetchall()
            assert query(f"SELECT count(*) FROM {files(tmp_path, table)}") == [(count,)], table
    counts = report.entities[Entity.RELEASES]
    assert 0 < counts.exported == counts.read - counts.filtered < counts.read
    assert manifest(tmp_path)["filter"] == report.filter != ""


def test_no_database_is_needed(dumps: Path, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from discogs.cli.main import main\n"
        f"code = main(['export', {str(dumps)!r}, '--month', '{FIRST}', '--out', {str(tmp_path)!r},"
        " '--entities', 'labels', '--allow-shrink'])\n"
        "database = ('psycopg', 'discogs.database')\n"
        "found = [name for name in sys.modules if name.startswith(database)]\n"
        "sys.exit(code or ', '.join(found) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), "DISCOGS_MAX_REJECTED": "0.5"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_queries_of_the_documentation_run(dumps: Path, tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "parquet.md").read_text()
    queries = re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    second = FIRST.plus(1)
    for month in (FIRST, second):
        export(dumps, tmp_path, month)
    [(artist,)] = query(f"SELECT mode(artist_id) FROM {files(tmp_path, 'release_artists', second)}")
    values = {
        "DIR": str(tmp_path),
        "2026-06": str(FIRST),
        "2026-07": str(second),
        "artist_id = 1 ": f"artist_id = {artist} ",
        "artist_id = 1\n": f"artist_id = {artist}\n",
    }
    found = []
    for each in queries:
        for name, value in values.items():
            each = each.replace(name, value)
        found.append(query(each))

    albums, changes, genres = found
    assert albums
    assert [number for number, *_ in albums] == [
        number
        for (number,) in query(
            f"SELECT DISTINCT release_id FROM {files(tmp_path, 'release_artists', second)}"
            f" JOIN {files(tmp_path, 'releases', second)} r ON r.id = release_id"
            f" WHERE artist_id = {artist} ORDER BY r.released_year, 1"
        )
    ]
    [(added, removed, changed)] = changes
    assert min(added, removed, changed) > 0
    assert (
        sum(count for _, count in genres)
        == manifest(tmp_path, second)["tables"]["release_genres"]["rows"]
    )


def test_rows_that_wait_to_be_written_do_not_keep_their_block_in_memory() -> None:
    records = [
        f'<release id="{n}"><title>T</title><notes>{"long " * 100}</notes>'
        "<companies><company><id>1</id><name>C</name></company></companies></release>"
        for n in range(1, 500)
    ]
    (block,), _ = blocks(Entity.RELEASES, dump(Entity.RELEASES, *records))

    parsed = PARSERS[Entity.RELEASES].parse(block)

    for name, batch in parsed.tables.items():
        kept = compact(batch)
        assert kept.equals(batch)
        # Buffers are padded to 64 bytes.
        assert kept.get_total_buffer_size() <= batch.nbytes + 256 * batch.num_columns, name


@pytest.mark.parametrize("era", ["2018", "2025", "2026-04"])
def test_real_excerpts_give_the_rows_of_the_tables(
    samples: Path, database: str, tmp_path: Path, era: str
) -> None:
    folder = samples / era
    found = re.match(r"discogs_([0-9]{4})([0-9]{2})", min(folder.glob("*.xml.gz")).name)
    assert found is not None
    month = Month(int(found[1]), int(found[2]))
    load(database, folder, month)

    export(folder, tmp_path, month)

    with psycopg.connect(database) as conn:
        for table in manifest(tmp_path, month)["tables"]:
            if table not in TABLE_NAMES:
                continue
            names = ", ".join(f'"{name}"' for name, _ in columns(conn, table))
            live = " WHERE NOT placeholder" if table in TABLES else ""
            keys = "1, 2" if table in NAMES else "1, 2, 3"
            rows = query(f"SELECT {names} FROM {files(tmp_path, table, month)} ORDER BY {keys}")
            assert (
                rows
                == conn.execute(
                    f"SELECT {names} FROM discogs.{table}{live} ORDER BY {keys}"
                ).fetchall()
            ), table
