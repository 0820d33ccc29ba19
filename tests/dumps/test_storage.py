from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from discogs.dumps import objects
from discogs.dumps.download import download
from discogs.dumps.errors import ChecksumMismatch, DumpFileMissing
from discogs.dumps.storage import DumpStorage
from discogs.dumps.verify import verify
from tests import faults
from tests.dumps.conftest import Open, local

NAME = "discogs_20260701_labels.xml.gz"


@pytest.fixture
def remote() -> Iterator[DumpStorage]:
    """A storage in memory, as an example of an object store."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    yield DumpStorage("memory:///dumps")
    memory.store.clear()


def test_a_folder_is_local_however_it_is_written(tmp_path: Path) -> None:
    from airflow.sdk import ObjectStoragePath
    from upath import UPath

    for root in (
        str(tmp_path),
        f"file://{tmp_path}",
        tmp_path,
        UPath(str(tmp_path)),
        UPath(f"file://{tmp_path}"),
        ObjectStoragePath(f"file://{tmp_path}"),
    ):
        storage = DumpStorage(root)
        assert storage.local == tmp_path
        (tmp_path / NAME).write_bytes(b"x")
        assert storage.names() == [NAME]
        assert storage.delete(NAME) == 1
        assert not storage.exists(NAME)


def test_home_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert DumpStorage("~/dumps").local == tmp_path / "dumps"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "x", "", f"{NAME}.part", f"a/{NAME}"])
def test_other_names_are_refused(storage: DumpStorage, remote: DumpStorage, name: str) -> None:
    for place in (storage, remote):
        for use in (place.open, place.size, place.delete):
            with pytest.raises(ValueError, match="not the name of a dump file"):
                use(name)
        with pytest.raises(ValueError, match="not the name of a dump file"):
            place.write(name, b"x")
        with pytest.raises(ValueError, match="not the name of a dump file"):
            place.part(name, "url", "digest")


def test_the_error_for_a_file_of_another_worker_says_what_to_do(
    storage: DumpStorage, remote: DumpStorage
) -> None:
    for place in (storage, remote):
        assert place.size(NAME) is None
        assert place.delete(NAME) == 0
        assert place.files() == []
        with pytest.raises(DumpFileMissing, match="is not in the storage") as caught:
            place.open(NAME)
        for said in (socket.gethostname(), str(place), "All workers must share", "s3://"):
            assert said in str(caught.value)


def test_files_that_are_not_dumps_are_not_listed(storage: DumpStorage) -> None:
    local(storage).mkdir()
    for name in (NAME, f"{NAME}.part", f"{NAME}.part.json", "notes.txt", "x.part"):
        (local(storage) / name).write_bytes(b"abc")
    (local(storage) / "discogs_20260701_artists.xml.gz").mkdir()
    assert [(item.name, item.size, item.part) for item in storage.files()] == [
        (NAME, 3, False),
        (f"{NAME}.part", 3, True),
        (f"{NAME}.part.json", 3, True),
    ]
    assert storage.names() == [NAME]


def test_in_a_storage_without_joining_the_parts_are_copied(
    place: Open, remote: DumpStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", 7_000)
    at = place("s3", [faults.cut(10_000).on("labels")])
    report = download(at.source, at.file, remote, at.digest)
    assert report.attempts == 2
    with remote.open(NAME) as opened:
        assert opened.read() == at.data
    assert [item.name for item in remote.files()] == [NAME]
    assert remote.disk_use() is None
    assert verify(remote, NAME, at.digest) == len(at.data)
    assert download(at.source, at.file, remote, at.digest).already_there


def test_a_verified_file_is_kept(place: Open, storage: DumpStorage) -> None:
    at = place()
    download(at.source, at.file, storage, at.digest)
    seen: list[int] = []
    assert verify(storage, NAME, at.digest.upper(), seen.append) == len(at.data)
    assert seen[-1] == len(at.data)
    assert storage.exists(NAME)


def test_a_file_that_differs_on_disk_is_deleted(place: Open, storage: DumpStorage) -> None:
    at = place()
    download(at.source, at.file, storage, at.digest)
    with (local(storage) / NAME).open("r+b") as opened:
        opened.seek(30_000)
        opened.write(b"damage")
    with pytest.raises(ChecksumMismatch) as caught:
        verify(storage, NAME, at.digest)
    assert caught.value.expected == at.digest != caught.value.actual
    assert at.digest in str(caught.value)
    assert not storage.exists(NAME)


def test_a_file_that_is_missing_cannot_be_verified(storage: DumpStorage) -> None:
    with pytest.raises(DumpFileMissing):
        verify(storage, NAME, "a" * 64)
