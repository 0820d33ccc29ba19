from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path

import pytest

from discogs.dumps.names import DumpName
from discogs.dumps.retention import clean, expired
from discogs.dumps.storage import DumpStorage, Stored
from discogs.schema.entities import Month
from tests.dumps.conftest import local

WEEK = 7 * 86400.0
MAY, JUNE, JULY = Month(2026, 5), Month(2026, 6), Month(2026, 7)
NAMES = [f"discogs_2026{month:02d}01_labels.xml.gz" for month in (5, 6, 7)]


def stored(name: str, *, age: float | None = 0.0) -> Stored:
    dump = DumpName.parse(name.removesuffix(".part"))
    assert dump is not None
    modified = None if age is None else 1e9 - age
    return Stored(name, 10, modified, dump, name.endswith(".part"))


def going(
    names: list[str],
    *,
    completed: set[Month] | None = None,
    in_use: set[Month] | None = None,
    keep: int | None = 1,
    age: float | None = 0.0,
) -> list[str]:
    items = expired(
        [stored(name, age=age) for name in names],
        completed=completed if completed is not None else {MAY, JUNE, JULY},
        in_use=in_use or set(),
        keep=keep,
        stale_seconds=WEEK,
        now=1e9,
    )
    return [item.name for item in items]


@pytest.mark.parametrize(("keep", "gone"), [(0, 3), (1, 2), (2, 1), (3, 0), (9, 0), (None, 0)])
def test_the_newest_months_are_kept(keep: int | None, gone: int) -> None:
    assert going(NAMES, keep=keep) == NAMES[:gone]


def test_only_files_of_completed_months_are_deleted() -> None:
    assert going(NAMES, keep=0, completed={JUNE}) == [NAMES[1]]
    assert going(NAMES, keep=0, completed=set()) == []


def test_failed_months_do_not_count_as_kept() -> None:
    assert going(NAMES, keep=1, completed={MAY, JUNE}) == [NAMES[0]]


def test_the_files_of_a_month_in_use_are_kept() -> None:
    names = [*NAMES, f"{NAMES[0]}.part"]
    assert going(names, keep=0, in_use={MAY}, age=2 * WEEK) == NAMES[1:]


def test_all_files_of_a_month_are_deleted_with_the_checksum_file() -> None:
    names = ["discogs_20260501_CHECKSUM.txt", "discogs_20260515_releases.xml.gz"]
    assert going(names) == names


def test_unfinished_files_are_deleted_with_their_month_or_when_stale() -> None:
    parts = [f"{name}.part" for name in NAMES]
    assert going(parts, completed={JULY}) == [parts[2]]
    assert going(parts, completed={JULY}, keep=None) == [parts[2]]
    assert going(parts, completed=set(), age=WEEK - 1) == []
    assert going(parts, completed=set(), age=WEEK + 1) == parts
    assert going(parts, completed=set(), age=None) == []


@pytest.fixture
def filled(storage: DumpStorage) -> DumpStorage:
    local(storage).mkdir()
    for name in NAMES:
        (local(storage) / name).write_bytes(b"x" * 1000)
    stale = local(storage) / "discogs_20260801_labels.xml.gz.part"
    stale.write_bytes(b"x" * 500)
    os.utime(stale, (time.time() - 2 * WEEK,) * 2)
    (local(storage) / "notes.txt").write_text("mine")
    return storage


def test_a_cleanup_reports_what_it_did(
    filled: DumpStorage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    report = clean(filled, completed={MAY, JUNE, JULY}, in_use={MAY}, keep=1, stale_seconds=WEEK)
    assert report.deleted == {NAMES[1]: 1000, "discogs_20260801_labels.xml.gz.part": 500}
    assert (report.bytes_freed, report.failed) == (1500, {})
    assert report.disk_before is not None
    assert report.disk_after is not None
    assert report.disk_after.total == report.disk_before.total > 0
    kept = sorted(path.name for path in local(filled).iterdir())
    assert kept == [NAMES[0], NAMES[2], "notes.txt"]
    assert f"Deleted {NAMES[1]}, 1000 bytes." in caplog.text
    assert json.loads(json.dumps(report.as_dict()))["bytes_freed"] == 1500


def test_a_failure_to_delete_is_reported_and_not_raised(
    filled: DumpStorage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        # A folder without write permission does not stop root, who may run the tests.
        if path.name == NAMES[0]:
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    report = clean(filled, completed={MAY, JUNE, JULY}, in_use=set(), keep=1, stale_seconds=WEEK)
    assert list(report.failed) == [NAMES[0]]
    assert NAMES[1] in report.deleted
    assert "could not be deleted" in caplog.text


def test_a_missing_storage_is_not_an_error(storage: DumpStorage) -> None:
    report = clean(storage, completed={MAY}, in_use=set(), keep=0, stale_seconds=WEEK)
    assert (report.deleted, report.failed) == ({}, {})


def test_a_storage_that_cannot_be_listed_is_reported_and_not_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    report = clean(
        DumpStorage(tmp_path / "file"), completed={MAY}, in_use=set(), keep=0, stale_seconds=WEEK
    )
    assert list(report.failed) == [str(tmp_path / "file")]
    assert "cannot be listed" in caplog.text


def test_a_cleanup_of_a_remote_storage() -> None:
    fsspec = pytest.importorskip("fsspec")
    storage = DumpStorage("memory:///clean")
    memory = fsspec.filesystem("memory")
    for name in NAMES:
        memory.pipe(f"/clean/{name}", b"x" * 10)
    for part in (".part.0001", ".part.0002", ".part.json"):
        memory.pipe(f"/clean/{NAMES[0]}{part}", b"x")
    report = clean(storage, completed={MAY, JUNE, JULY}, in_use=set(), keep=1, stale_seconds=WEEK)
    parts = [f"{NAMES[0]}.part.{end}" for end in ("0001", "0002", "json")]
    assert list(report.deleted) == [NAMES[0], *parts, NAMES[1]]
    assert [item.name for item in storage.files()] == [NAMES[2]]
    assert report.disk_before is None
    memory.store.clear()
