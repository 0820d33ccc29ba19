"""An export is published whole or not at all: on disk, in an object store, when it is killed."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from discogs.errors import StorageError
from discogs.load.errors import DumpRefused, FolderUnusable
from discogs.load.manifest import MonthExported
from discogs.records.errors import TruncatedDump
from discogs.schema.entities import Entity
from discogs.schema.mapping import TABLES
from tests import s3
from tests.conftest import PROJECT
from tests.content import dump_file
from tests.dump_files import write_dump
from tests.load.conftest import FIRST
from tests.load.exporting import content, export, manifest, query

pytestmark = pytest.mark.slow


def test_an_exported_month_is_replaced_only_on_request_and_then_completely(
    dumps: Path, tmp_path: Path
) -> None:
    export(dumps, tmp_path)
    export(dumps, tmp_path, FIRST.plus(1))
    before = content(tmp_path)

    with pytest.raises(
        MonthExported, match=rf"{FIRST} is already exported to {tmp_path} \(labels, art"
    ):
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


def test_the_files_of_a_killed_export_are_not_a_month_and_are_replaced(
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
    # While files are written, while they are moved, and before the manifest is written.
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


def test_a_terminated_export_leaves_no_files(dumps: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "dumps", tmp_path / "out"
    folder.mkdir()
    path = dump_file(dumps, "releases", str(FIRST))
    # Long enough to be interrupted.
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


def test_a_damaged_dump_does_not_change_an_earlier_export(
    month_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(month_folder, out)
    before = content(out)
    path = dump_file(month_folder, "artists", str(FIRST))
    data = path.read_bytes()

    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FolderUnusable, match=r"does not match its CHECKSUM\.txt"):
        export(month_folder, out, overwrite=True)
    for marker in month_folder.glob("*CHECKSUM*"):
        marker.unlink()
    with pytest.raises(TruncatedDump, match=path.name):
        export(month_folder, out, overwrite=True)

    assert content(out) == before
    assert manifest(out)["entities"].keys() == {str(entity) for entity in Entity}


def test_too_many_rejected_records_refuse_the_month_and_stay_readable(
    month_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    bad = "<label><id>2</id><name>Two</nome></label>"
    good = [f"<label><id>{n}</id></label>" for n in range(10, 30)]
    write_dump(month_folder, FIRST, Entity.LABELS, *[bad] * 3, *good)
    (month_folder / f"discogs_{FIRST.first_day:%Y%m%d}_CHECKSUM.txt").unlink()

    with pytest.raises(DumpRefused, match="is not exported: labels has 3 rejected") as refused:
        export(month_folder, out, max_rejected=0.1)

    assert "limit" in str(refused.value)
    where = re.search(r"MAX_REJECTED; (\S+) lists them with the reasons", str(refused.value))
    assert where is not None
    assert query(f"SELECT count(*), max(record_id) FROM '{where[1]}'") == [(3, 2)]
    assert list(content(out)) == [str(Path(where[1]).relative_to(out))]
    export(month_folder, out)
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


def test_a_requested_entity_must_have_a_file(month_folder: Path, tmp_path: Path) -> None:
    dump_file(month_folder, "masters", str(FIRST)).unlink()

    with pytest.raises(FolderUnusable, match=rf"no file of {FIRST} of: masters"):
        export(month_folder, tmp_path / "out", entities=[Entity.LABELS, Entity.MASTERS])
    export(month_folder, tmp_path / "out")
    assert "masters" not in manifest(tmp_path / "out")["entities"]


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
