"""Dumps in an S3-compatible object store: written in parts, resumed, with no left-over objects."""

from __future__ import annotations

import gzip
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from upath import UPath

from discogs.dumps import objects
from discogs.dumps.download import download
from discogs.dumps.errors import ChecksumMismatch, StorageRefused, StorageUnreachable
from discogs.dumps.part import Origin
from discogs.dumps.storage import DumpStorage
from discogs.dumps.verify import verify
from discogs.errors import StorageError
from tests import faults, s3
from tests.conftest import PROJECT
from tests.dumps.conftest import Open, Served

pytestmark = pytest.mark.slow

PART = 5 << 20  # the least that S3 puts together
SIZE = 13_000_000
NAME = Served.name


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3.server(tmp_path_factory.mktemp("s3")) as url:
        s3.Bucket(url).client().create_bucket(Bucket=s3.BUCKET)
        yield url


@pytest.fixture
def bucket(url: str) -> Iterator[s3.Bucket]:
    bucket = s3.Bucket(url)
    yield bucket
    bucket.empty()
    assert bucket.unfinished() == []


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", PART)


@pytest.fixture
def folder(folder: Path) -> Path:
    """The dump, whose labels are of three parts."""
    data = gzip.compress(random.Random(1).randbytes(SIZE), 0, mtime=0)
    (folder / NAME).write_bytes(data)
    return folder


def storage(url: str, name: str = s3.BUCKET, **changes: object) -> DumpStorage:
    options = {"key": "key", "secret": "secret", "endpoint_url": url, **changes}
    return DumpStorage(UPath(f"s3://{name}/dumps", **options))


def test_a_file_is_stored_as_it_comes_and_read_as_a_stream(place: Open, bucket: s3.Bucket) -> None:
    at, there = place(), storage(bucket.url)
    seen: list[list[str]] = []

    report = download(
        at.source,
        at.file,
        there,
        at.digest,
        on_progress=lambda _: seen.append(bucket.names()),
        progress_seconds=0,
    )

    parts = [f"dumps/{NAME}.part.{number:04d}" for number in (1, 2)]
    assert [*parts, f"dumps/{NAME}.part.json"] in seen
    assert report.transferred == report.size == len(at.data)
    assert bucket.names() == [f"dumps/{NAME}"]
    assert bucket.read(f"dumps/{NAME}") == at.data
    assert verify(there, NAME, at.digest) == len(at.data)
    assert download(at.source, at.file, there, at.digest).already_there


def test_a_transfer_that_the_server_cuts_is_resumed(place: Open, bucket: s3.Bucket) -> None:
    at = place("s3", [faults.cut(7_000_000).on("labels")])

    report = download(at.source, at.file, storage(bucket.url), at.digest)

    assert (report.attempts, report.transferred) == (2, len(at.data))
    assert bucket.read(f"dumps/{NAME}") == at.data


def test_an_upload_that_is_cut_is_resumed_by_the_next_attempt(
    place: Open, bucket: s3.Bucket
) -> None:
    at = place()
    with s3.Line(bucket.url) as line:
        line.left = 8_000_000
        with pytest.raises(StorageUnreachable) as caught:
            # Few tries: each waits longer than the one before.
            download(at.source, at.file, storage(line.url, config_kwargs=FEW_TRIES), at.digest)
    assert caught.value.transient
    assert bucket.names() == [f"dumps/{NAME}.part.0001", f"dumps/{NAME}.part.json"]

    report = download(at.source, at.file, storage(bucket.url), at.digest)

    assert report.resumed_from == PART
    assert report.transferred == len(at.data) - PART
    assert bucket.names() == [f"dumps/{NAME}"]
    assert bucket.read(f"dumps/{NAME}") == at.data


FEW_TRIES = {"retries": {"max_attempts": 0}, "connect_timeout": 1}

DOWNLOAD = """
import sys
from upath import UPath
from discogs.dumps import objects
from discogs.dumps.download import download
from discogs.dumps.listing import DumpFile
from discogs.dumps.names import Layout
from discogs.dumps.source import DumpSource, make_session
from discogs.dumps.storage import DumpStorage
objects.PART_BYTES = int(sys.argv[5])
there = DumpStorage(UPath(sys.argv[1], key="key", secret="secret", endpoint_url=sys.argv[2]))
with make_session("tests/1") as session:
    source = DumpSource(session, sys.argv[3].partition("/data/")[0], Layout.S3)
    download(source, DumpFile(sys.argv[3].rpartition("/")[2], sys.argv[3]), there, sys.argv[4])
"""


def test_the_parts_of_a_killed_worker_are_resumed_by_another(
    place: Open, bucket: s3.Bucket
) -> None:
    at = place("s3", [faults.slow(10_000_000, chunk=65536).on("labels")])
    address = f"{at.mirror.url}{at.target}"
    arguments = [f"s3://{s3.BUCKET}/dumps", bucket.url, address, at.digest, str(PART)]
    with subprocess.Popen(
        [sys.executable, "-c", DOWNLOAD, *arguments],
        env={"PYTHONPATH": f"{PROJECT / 'plugins'}:{PROJECT}"},
    ) as worker:
        deadline = time.monotonic() + 60
        while f"dumps/{NAME}.part.0001" not in bucket.names():
            assert worker.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)

    report = download(at.source, at.file, storage(bucket.url), at.digest)

    assert report.resumed_from >= PART
    assert bucket.names() == [f"dumps/{NAME}"]
    assert bucket.read(f"dumps/{NAME}") == at.data


@pytest.mark.parametrize("when", ["between the parts", "while they are put together"])
def test_the_parts_of_another_version_are_deleted(
    place: Open, bucket: s3.Bucket, when: str
) -> None:
    at, there = place(), storage(bucket.url)
    with there.part(NAME, at.file.url, "another digest") as part:
        part.restart(Origin(at.file.url, "another digest", SIZE, None))
        part.write(bytes(2 * PART + 1000))
    if when == "while they are put together":
        bucket.client().create_multipart_upload(Bucket=s3.BUCKET, Key=f"dumps/{NAME}")
    assert len(bucket.names()) == 4

    report = download(at.source, at.file, there, at.digest)

    assert (report.resumed_from, report.size) == (0, len(at.data))
    assert bucket.names() == [f"dumps/{NAME}"]
    assert bucket.read(f"dumps/{NAME}") == at.data


def test_a_file_with_another_digest_than_published_leaves_nothing(
    place: Open, bucket: s3.Bucket
) -> None:
    at = place()

    with pytest.raises(ChecksumMismatch):
        download(at.source, at.file, storage(bucket.url), "a" * 64)

    assert bucket.names() == []


def test_a_bucket_that_is_missing_is_named(place: Open, url: str) -> None:
    at = place()

    with pytest.raises(StorageRefused, match=r"s3://no-such-bucket/dumps.*bucket must") as caught:
        download(at.source, at.file, storage(url, "no-such-bucket"), at.digest)

    assert not caught.value.transient


def test_wrong_keys_are_a_permanent_error(place: Open, tmp_path: Path) -> None:
    # From the second request on, the server wants keys that it knows.
    with s3.server(tmp_path, INITIAL_NO_AUTH_ACTION_COUNT="1") as url:
        s3.Bucket(url).client().create_bucket(Bucket=s3.BUCKET)
        at = place()

        with pytest.raises(StorageRefused, match=r"access key.*secret") as caught:
            download(at.source, at.file, storage(url), at.digest)

    assert not caught.value.transient


def test_a_store_that_is_down_is_a_transient_error(place: Open) -> None:
    at = place()

    with pytest.raises(StorageUnreachable, match="did not answer") as caught:
        download(
            at.source,
            at.file,
            storage("http://127.0.0.1:9", config_kwargs=FEW_TRIES),
            at.digest,
        )

    assert caught.value.transient


@pytest.mark.parametrize(
    ("address", "package"),
    [
        ("s3://bucket/dumps", "airflow-discogs[s3]"),
        ("gs://bucket/dumps", "apache-airflow-providers-google"),
    ],
)
def test_an_address_without_its_package_says_what_to_install(address: str, package: str) -> None:
    program = f"""
import sys
sys.modules.update(dict.fromkeys(("s3fs", "gcsfs")))
from discogs.dumps.storage import DumpStorage
DumpStorage({address!r}).files()
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
    )

    assert StorageError.__name__ in result.stderr
    assert f"Install {package} for every worker" in result.stderr.splitlines()[-1]
