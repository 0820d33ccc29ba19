"""A month as Parquet: the same rows as the tables have, whole or not there."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from discogs.errors import StorageError
from discogs.load.errors import DumpRefused, FolderUnusable
from discogs.load.export import ExportSizes, export_month
from discogs.load.manifest import ExportReport, MonthExported
from discogs.load.parquet import ParquetSizes, compact
from discogs.records.errors import TruncatedDump
from discogs.schema.dictionary import tables as described_tables
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES
from discogs.schema.model import STATE
from tests import s3
from tests.conftest import PROJECT, new_database
from tests.content import dump_file
from tests.dump_files import write_dump
from tests.load.conftest import FIRST, LENIENT, load
from tests.records.reading import PARSERS, blocks, dump

pytestmark = pytest.mark.slow

#: The merge's own columns, which an export of one month cannot have; the month is the partition.
LEFT_OUT = {column.name for column in STATE} | {"dump_month"}
NAMES = ["genres", "styles"]
TABLE_NAMES = [table.name for tables in TABLES.values() for table in tables.all] + NAMES
#: Many row groups and files, however small the tables are.
SMALL = ExportSizes(block=64 * 1024, parquet=ParquetSizes(rows=500, group=1 << 15, file=1 << 14))


def export(folder: Path, out: Path | str, month: Month = FIRST, **given: Any) -> ExportReport:
    options = {name: given.pop(name) for name in list(given) if name in OPTIONS}
    return export_month(folder, month, out, replace(LENIENT, **given), **options)


OPTIONS = {"entities", "overwrite", "allow_shrink", "sizes"}


def query(text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as conn:
        return conn.execute(text).fetchall()


def files(out: Path, table: str, month: Month = FIRST) -> str:
    """The files of a table's month, for a query."""
    return f"read_parquet('{out}/{table}/dump_month={month}/*.parquet')"


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the manifests, which say when they were written."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json"
    }


def manifest(out: Path, month: Month = FIRST) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "_manifest" / f"{month}.json").read_text())
    return found


@pytest.fixture(scope="module")
def exported(dumps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported")
    export(dumps, out)
    return out


@pytest.fixture(scope="module")
def loaded(server: str, dumps: Path) -> Iterator[psycopg.Connection]:
    """A database that holds the first month alone."""
    with new_database(server) as dsn:
        load(dsn, dumps, FIRST)
        with psycopg.connect(dsn) as conn:
            yield conn


@pytest.fixture
def folder(dumps: Path, tmp_path: Path) -> Path:
    """The files of the first month, to be spoilt."""
    folder = tmp_path / "spoilt"
    folder.mkdir()
    for path in dumps.glob(f"discogs_{FIRST.first_day:%Y%m}*"):
        shutil.copy(path, folder)
    return folder


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
def test_the_rows_are_those_of_the_tables(
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
    images = table.endswith("_images")  # the public dumps have none any more
    assert rows or images


def test_the_columns_and_types_are_those_of_the_tables(
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
    folder: Path, database: str, tmp_path: Path
) -> None:
    write_dump(
        folder,
        FIRST,
        Entity.LABELS,
        "<label><id>1</id><name>One</name></label>",
        "<label><id>2</id><name>Two</nome></label>",
        "<label><name>without an id</name></label>",
        "<label><id>1</id><name>again</name></label>",
        *(f"<label><id>{n}</id><name>N</name></label>" for n in range(10, 20)),
    )
    (folder / f"discogs_{FIRST.first_day:%Y%m%d}_CHECKSUM.txt").unlink()
    out = tmp_path / "out"

    report = export(folder, out, entities=[Entity.LABELS])

    load(database, folder, FIRST)
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


def test_shards_have_together_the_rows_and_counts_of_the_whole(
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


def test_a_filter_holds_for_the_export(dumps: Path, database: str, tmp_path: Path) -> None:
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


def test_a_month_that_is_there_is_replaced_only_on_request_and_then_whole(
    dumps: Path, tmp_path: Path
) -> None:
    export(dumps, tmp_path)
    export(dumps, tmp_path, FIRST.plus(1))
    before = content(tmp_path)

    with pytest.raises(MonthExported, match=rf"{FIRST} is in {tmp_path} already \(labels, art"):
        export(dumps, tmp_path)
    assert content(tmp_path) == before

    export(dumps, tmp_path, entities=[Entity.LABELS], overwrite=True)
    after = content(tmp_path)
    assert list(manifest(tmp_path)["entities"]) == ["labels"]
    assert {path.partition("/")[0] for path in after if f"={FIRST}/" in path} == {
        *(table.name for table in TABLES[Entity.LABELS].all),
        "rejected_records",
    }
    other = {path: data for path, data in before.items() if f"={FIRST.plus(1)}/" in path}
    assert {path: data for path, data in after.items() if f"={FIRST.plus(1)}/" in path} == other


def test_what_a_killed_export_left_is_no_month_and_is_replaced(
    exported: Path, dumps: Path, tmp_path: Path
) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from discogs.load import export\n"
        "from discogs.settings import Settings\n"
        "from discogs.schema.entities import Month\n"
        "called = export.ExportFolder.{where}\n"
        "def stop(self, name, *rest):\n"
        "    if '{where}' == 'replace' and not name.startswith('_manifest'):\n"
        "        return called(self, name, *rest)\n"
        "    print('here', flush=True)\n"
        "    time.sleep(60)\n"
        "export.ExportFolder.{where} = stop\n"
        f"export.export_month(Path({str(dumps)!r}), Month.parse('{FIRST}'),"
        f" {str(tmp_path)!r}, Settings(max_rejected=0.5), overwrite=True)\n"
    )
    # While the files are written aside, while they are moved, and before the manifest.
    for where in ("create", "move", "replace"):
        if where == "replace":
            export(dumps, tmp_path, overwrite=True)
        killed = subprocess.Popen(
            [sys.executable, "-c", program.replace("{where}", where)],
            env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins")},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert killed.stdout is not None
        assert killed.stdout.readline() == "here\n"
        with pytest.raises(StorageError, match=r"is being exported .* by another process"):
            export(dumps, tmp_path, overwrite=True)
        killed.kill()
        killed.communicate()
        assert not (tmp_path / "_manifest" / f"{FIRST}.json").exists() or where == "create"
        assert (tmp_path / "_writing").exists()

        export(dumps, tmp_path, overwrite=True)
        assert content(tmp_path) == content(exported)
        assert not (tmp_path / "_writing").exists()


def test_a_terminated_export_leaves_nothing(dumps: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "dumps", tmp_path / "out"
    folder.mkdir()
    path = dump_file(dumps, "releases", str(FIRST))
    # Long enough to be caught at work.
    text = gzip.decompress(path.read_bytes())
    head, _, records = text.partition(b"<release ")
    records = b"<release " + records.rpartition(b"</releases>")[0]
    (folder / path.name).write_bytes(
        gzip.compress(head + b"\n".join([records] * 25) + b"</releases>", 1)
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "discogs", "export", folder, "--month", str(FIRST), "--out", out],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins")},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("_writing/*/release*/*")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGTERM
    assert said.splitlines()[-1] == "discogs: terminated"
    assert content(out) == {}


def test_a_broken_dump_leaves_what_is_there(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(folder, out)
    before = content(out)
    path = dump_file(folder, "artists", str(FIRST))
    data = path.read_bytes()

    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FolderUnusable, match=r"is not what its CHECKSUM\.txt says"):
        export(folder, out, overwrite=True)
    for marker in folder.glob("*CHECKSUM*"):
        marker.unlink()
    with pytest.raises(TruncatedDump, match=path.name):
        export(folder, out, overwrite=True)

    assert content(out) == before
    assert manifest(out)["entities"].keys() == {str(entity) for entity in Entity}


def test_too_many_rejected_records_refuse_the_month_and_stay_readable(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    bad = "<label><id>2</id><name>Two</nome></label>"
    good = [f"<label><id>{n}</id></label>" for n in range(10, 30)]
    write_dump(folder, FIRST, Entity.LABELS, *[bad] * 3, *good)
    (folder / f"discogs_{FIRST.first_day:%Y%m%d}_CHECKSUM.txt").unlink()

    with pytest.raises(DumpRefused, match="is not exported: labels has 3 rejected") as refused:
        export(folder, out, max_rejected=0.1)

    assert "limit" in str(refused.value)
    where = re.search(r"MAX_REJECTED; (\S+) says which and why", str(refused.value))
    assert where is not None
    assert query(f"SELECT count(*), max(record_id) FROM '{where[1]}'") == [(3, 2)]
    assert list(content(out)) == [str(Path(where[1]).relative_to(out))]
    export(folder, out)
    assert not (out / "_writing").exists()


def test_a_dump_that_has_shrunk_or_is_empty_is_refused(tmp_path: Path) -> None:
    folder, out, second = tmp_path / "dumps", tmp_path / "out", FIRST.plus(1)
    labels = [f"<label><id>{n}</id><name>N</name></label>" for n in range(1, 101)]
    write_dump(folder, FIRST, Entity.LABELS, *labels)
    write_dump(folder, second, Entity.LABELS, *labels[:40])
    write_dump(folder, FIRST, Entity.ARTISTS)

    with pytest.raises(DumpRefused, match="artists has no records at all"):
        export(folder, out)
    assert content(out) == {}
    export(folder, out, entities=[Entity.LABELS])
    with pytest.raises(DumpRefused, match=rf"labels has 40 records, 60 fewer than {FIRST}, more"):
        export(folder, out, second)
    export(folder, out, second, allow_shrink=True)
    assert manifest(out, second)["tables"]["labels"]["rows"] == 40


def test_an_entity_that_is_asked_for_must_be_there(folder: Path, tmp_path: Path) -> None:
    dump_file(folder, "masters", str(FIRST)).unlink()

    with pytest.raises(FolderUnusable, match=rf"no file of {FIRST} of: masters"):
        export(folder, tmp_path / "out", entities=[Entity.LABELS, Entity.MASTERS])
    export(folder, tmp_path / "out")
    assert "masters" not in manifest(tmp_path / "out")["entities"]


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


def test_a_month_is_exported_to_an_object_store(
    dumps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entities = [Entity.LABELS, Entity.MASTERS]
    export(dumps, tmp_path / "local", entities=entities)
    with s3.server(tmp_path) as url:
        bucket = s3.Bucket(url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket.secret)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with pytest.raises(
            StorageError, match=r"cannot be written to s3://nowhere/discogs: .*exist"
        ):
            export(dumps, "s3://nowhere/discogs", entities=entities)
        bucket.client().create_bucket(Bucket=bucket.name)
        # As a killed export leaves it.
        bucket.client().put_object(
            Bucket=bucket.name, Key=f"discogs/_writing/{FIRST}/x/part-0000.parquet", Body=b"x"
        )

        export(dumps, f"s3://{bucket.name}/discogs", entities=entities)
        with pytest.raises(MonthExported):
            export(dumps, f"s3://{bucket.name}/discogs", entities=entities)
        export(dumps, f"s3://{bucket.name}/discogs", entities=entities, overwrite=True)

        stored = {
            name.removeprefix("discogs/"): bucket.read(name)
            for name in bucket.names()
            if not name.endswith(".json")
        }
        assert stored == content(tmp_path / "local")
        assert f"discogs/_manifest/{FIRST}.json" in bucket.names()
        assert bucket.unfinished() == []


def test_the_queries_of_the_documentation_run(dumps: Path, tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "scaling.md").read_text()
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
