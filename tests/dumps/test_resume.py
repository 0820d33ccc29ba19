"""Downloads in another process: killed and resumed, on a full disk, in constant memory."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from discogs.dumps.download import DownloadReport, download
from discogs.dumps.errors import DiskFull, DownloadUnderWay
from discogs.dumps.part import PartFile
from discogs.dumps.storage import DumpStorage
from discogs.sample.mirror import Mirror
from tests import faults
from tests.dumps.conftest import Open, Served, left, local

pytestmark = pytest.mark.slow

PLUGINS = Path(__file__).parents[2] / "plugins"
# Downloads, verifies and prints the report, or the error's kind and text.
CODE = r"""
import json, re, resource, signal, sys
from pathlib import Path
from discogs.dumps.download import download
from discogs.dumps.listing import DumpFile
from discogs.dumps.source import DumpSource, Limits, make_session
from discogs.dumps.storage import DumpStorage
from discogs.dumps.verify import verify
from discogs.errors import DiscogsError

base, layout, url, name, root, expected, room = sys.argv[1:]
if int(room):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), int(room)))
storage = DumpStorage(root)
with make_session() as session:
    source = DumpSource(session, base, layout, Limits(backoff=0.01))
    try:
        report = download(source, DumpFile(name, url), storage, expected).as_dict()
        verify(storage, name, expected)
    except DiscogsError as error:
        report = {"error": type(error).__name__, "text": str(error)}
# What getrusage tells includes the memory of the process that started this one.
status = Path("/proc/self/status")
peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1] if status.exists() else \
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report["peak"] = int(peak) * 1024
print(json.dumps(report))
"""


def command(at: Served, root: Path, room: int = 0) -> list[str]:
    names = [at.mirror.url, str(at.source.layout), at.file.url, at.name, str(root)]
    return [sys.executable, "-c", CODE, *names, at.digest, str(room)]


@contextmanager
def started(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    environment = {"PYTHONPATH": str(PLUGINS)}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def run(arguments: list[str]) -> dict[str, Any]:
    with started(arguments) as process:
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(out)
    return found


def kill_in_the_middle(at: Served, storage: DumpStorage, reached: int) -> None:
    """Start a download in another process and kill it once it has so many bytes."""
    part = local(storage) / f"{at.name}.part"
    at.mirror.add(faults.stall(reached, 60).on("labels"))
    with started(command(at, local(storage))) as process:
        for _ in range(1000):
            if part.exists() and part.stat().st_size >= reached:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert left(storage) == [part.name, f"{part.name}.json"]


def fetch(at: Served, storage: DumpStorage) -> DownloadReport:
    report = download(at.source, at.file, storage, at.digest)
    assert left(storage) == [at.name]
    assert (local(storage) / at.name).read_bytes() == at.data
    return report


def test_a_killed_download_is_resumed_if_the_server_supports_it(
    place: Open, storage: DumpStorage
) -> None:
    at = place("s3")
    kill_in_the_middle(at, storage, 20_000)
    report = fetch(at, storage)
    assert (report.resumed_from, report.transferred) == (20_000, len(at.data) - 20_000)
    assert at.mirror.seen[-1].range == "bytes=20000-"


def test_a_killed_download_starts_again_where_ranges_are_ignored(
    place: Open, storage: DumpStorage
) -> None:
    at = place("data.discogs.com")
    kill_in_the_middle(at, storage, 20_000)
    report = fetch(at, storage)
    assert (report.resumed_from, report.transferred) == (0, len(at.data))


def test_a_download_killed_before_its_rename_is_only_renamed(
    place: Open, storage: DumpStorage
) -> None:
    at = place("s3")
    kill_in_the_middle(at, storage, 20_000)
    (local(storage) / f"{at.name}.part").write_bytes(at.data)
    report = fetch(at, storage)
    assert (report.resumed_from, report.transferred, at.asked) == (len(at.data), 0, 1)


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(
    place: Open, storage: DumpStorage
) -> None:
    at = place("s3")
    kill_in_the_middle(at, storage, 20_000)
    # The same digest, so that the part is taken up, and another ETag.
    os.utime(at.folder / at.name, (1, 1))
    report = fetch(at, storage)
    assert (report.resumed_from, report.transferred) == (0, len(at.data))
    assert at.mirror.seen[-1].range == "bytes=20000-"


def test_a_part_with_another_digest_is_discarded(place: Open, storage: DumpStorage) -> None:
    at = place("s3")
    kill_in_the_middle(at, storage, 20_000)
    (at.folder / at.name).write_bytes(at.data + b"more")
    assert fetch(at, storage).resumed_from == 0
    assert at.mirror.seen[-1].range is None


def test_a_damaged_part_is_discarded_at_the_end(place: Open, storage: DumpStorage) -> None:
    at = place("s3")
    kill_in_the_middle(at, storage, 20_000)
    (local(storage) / f"{at.name}.part").write_bytes(b"\0" * 15_000)
    report = fetch(at, storage)
    assert (report.attempts, report.resumed_from) == (2, 0)


@pytest.mark.parametrize("state", ["", "{}", "[1]", "{not JSON", '{"url": 1}'])
def test_a_state_that_cannot_be_read_is_discarded(
    place: Open, storage: DumpStorage, state: str
) -> None:
    at = place("s3")
    local(storage).mkdir()
    (local(storage) / f"{at.name}.part").write_bytes(at.data[:100])
    (local(storage) / f"{at.name}.part.json").write_text(state)
    assert fetch(at, storage).resumed_from == 0


def test_a_part_longer_than_the_file_is_discarded(place: Open, storage: DumpStorage) -> None:
    at = place("s3")
    kill_in_the_middle(at, storage, 20_000)
    (local(storage) / f"{at.name}.part").write_bytes(at.data + b"more")
    assert fetch(at, storage).resumed_from == 0


def test_a_part_that_was_renamed_meanwhile_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    flock = fcntl.flock

    def late(handle: int, how: int) -> None:
        # The other process renames between this one's open and its lock.
        (tmp_path / "x.part").rename(tmp_path / "x")
        flock(handle, how)

    (tmp_path / "x.part").write_bytes(b"whole")
    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(DownloadUnderWay):
        PartFile(tmp_path, "x", "u", "e")
    assert (tmp_path / "x").read_bytes() == b"whole"


def test_a_full_disk_is_an_error_and_leaves_no_files(place: Open, storage: DumpStorage) -> None:
    at = place()
    # A limit on the size of files is what every system lets a test set.
    told = run(command(at, local(storage), room=20_000))
    assert told["error"] == "DiskFull"
    assert "stops at 20,000 bytes (File too large)" in told["text"]
    assert left(storage) == []


def _small_disk(folder: Path) -> list[str]:
    """What to put before a command that shall see a disk of 100 KB at the folder."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare here, so no small disk can be made")
    mount = f'mount -t tmpfs -o size=100k none {folder} && exec "$@"'
    before = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    return before


def test_a_small_disk_is_an_error_before_it_is_full(place: Open, tmp_path: Path) -> None:
    at = place()
    data = os.urandom(200_000)
    (at.folder / at.name).write_bytes(b"\x1f\x8b" + data)
    root = tmp_path / "small"
    root.mkdir()
    told = run([*_small_disk(root), *command(at, root)])
    assert told["error"] == "DiskFull"
    assert "200,002 bytes are needed" in told["text"]


def test_a_small_disk_and_a_file_of_unknown_size_is_an_error_when_full(
    place: Open, tmp_path: Path
) -> None:
    at = place(faults=[faults.no_length().on("labels")])
    (at.folder / at.name).write_bytes(b"\x1f\x8b" + os.urandom(200_000))
    root = tmp_path / "small"
    root.mkdir()
    told = run([*_small_disk(root), *command(at, root)])
    assert told["error"] == "DiskFull"
    assert f"({os.strerror(errno.ENOSPC)})" in told["text"]


def test_space_for_all_files_is_checked(storage: DumpStorage) -> None:
    name, other = "discogs_20260701_labels.xml.gz", "discogs_20260701_artists.xml.gz"
    local(storage).mkdir()
    free = shutil.disk_usage(local(storage)).free
    with pytest.raises(DiskFull):
        storage.require_space_for([(name, free), (other, free)])
    # What is there already needs no room, and what is unknown counts as nothing.
    (local(storage) / name).write_bytes(b"x")
    storage.require_space_for([(name, 2 * free), (other, None)])


def _peak(tmp_path: Path, size: int) -> int:
    """Peak memory in bytes of a process that downloads and verifies a file of this size."""
    folder, root = tmp_path / f"served-{size}", tmp_path / f"stored-{size}"
    folder.mkdir()
    name = "discogs_20260701_releases.xml.gz"
    with (folder / name).open("wb") as sparse:
        # A hole takes no disk where it is served from.
        sparse.write(b"\x1f\x8b")
        sparse.truncate(size)
    sha = hashlib.sha256()
    with (folder / name).open("rb") as whole:
        while chunk := whole.read(1 << 22):
            sha.update(chunk)
    with Mirror(folder, "s3") as mirror:
        url = f"{mirror.url}/data/2026/{name}"
        arguments = [mirror.url, "s3", url, name, str(root), sha.hexdigest(), "0"]
        report = run([sys.executable, "-c", CODE, *arguments])
    assert report["size"] == size
    shutil.rmtree(root)
    return int(report["peak"])


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small, large = _peak(tmp_path, 1 << 20), _peak(tmp_path, 200 << 20)
    assert large < small + (16 << 20)
    assert large < 100 << 20


@pytest.mark.full
def test_ten_gigabytes_take_less_than_200_mb_of_memory(tmp_path: Path) -> None:
    size = 10 * 10**9
    if shutil.disk_usage(tmp_path).free < 2 * size:
        pytest.skip(f"{tmp_path} has not twice {size} bytes free")
    assert _peak(tmp_path, size) < 200 << 20
