from __future__ import annotations

import hashlib
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Launch = Callable[..., "subprocess.Popen[str]"]


def test_a_sample_has_the_files_of_each_month_and_prints_their_names(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    result = run("sample", folder, "--month", "2026-06", "--months", 2, "--releases", 20)
    assert (result.returncode, result.stderr) == (0, "")
    written = [Path(line) for line in result.stdout.splitlines()]
    assert len(written) == 10
    assert sorted(written) == sorted(folder.iterdir())
    lines = (folder / "discogs_20260701_CHECKSUM.txt").read_text().splitlines()
    for digest, name in (line.split() for line in lines):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_a_sample_where_nothing_can_be_written_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("sample", tmp_path / "file", "--month", "2026-06")
    assert result.returncode == 1
    assert str(tmp_path / "file") in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("layout", "path"), [("s3", "/data/2026/{}"), ("data.discogs.com", "/?download={}")]
)
def test_a_mirror_serves_a_folder_until_it_is_stopped(
    launch: Launch, tmp_path: Path, layout: str, path: str
) -> None:
    name = "discogs_20260701_CHECKSUM.txt"
    (tmp_path / name).write_text("digest name\n")
    with launch("mirror", tmp_path, "--port", 0, "--layout", layout) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1].rstrip("/")
            key = name if layout == "s3" else urllib.parse.quote(f"data/2026/{name}", safe="")
            request = urllib.request.Request(
                url + path.format(key), headers={"User-Agent": "the test"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.read() == b"digest name\n"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_mirror_of_a_folder_that_is_not_there_says_so(run: Run, tmp_path: Path) -> None:
    result = run("mirror", tmp_path / "nothing", "--port", 0)
    assert result.returncode == 1
    assert "is not a folder" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_mirror_serves_http_2_with_a_generated_certificate(
    launch: Launch, tmp_path: Path
) -> None:
    from discogs.dumps.curl import Response, Route

    name, pem = "discogs_20260701_CHECKSUM.txt", tmp_path / "own.pem"
    (tmp_path / name).write_text("digest name\n")
    options = ("--layout", "s3", "--tls", "--certificate", pem, "--rate", 1, "--requests", 1)
    with launch("mirror", tmp_path, "--port", 0, *options) as process:
        try:
            assert process.stdout is not None
            assert str(pem) in process.stdout.readline()
            url = process.stdout.readline().split()[-1]
            route = Route(verify=str(pem), cert=None, proxy=None, connect=10, read=10)
            for status, version in ((200, "2"), (429, "2")):
                answer = Response(f"{url}/data/2026/{name}", {"User-Agent": "test"}, route)
                body = b"".join(answer.chunks())
                assert (answer.status_code, answer.version) == (status, version)
                assert (body == b"digest name\n") == (status == 200)
                answer.close()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
