"""The mirror behaves like the real servers: listings, downloads, ranges, errors."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import requests

from discogs.sample.mirror import Behaviour, Mirror
from discogs.sample.secure import write_certificate
from tests import faults

PLUGINS = Path(__file__).parents[2] / "plugins"
LABELS = b"\x1f\x8b" + bytes(range(256)) * 20
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for day in ("20260601", "20260701", "20251201"):
        (tmp_path / f"discogs_{day}_labels.xml.gz").write_bytes(LABELS)
        (tmp_path / f"discogs_{day}_CHECKSUM.txt").write_text("x")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["User-Agent"] = "test"
        yield session


def test_discogs_lists_a_year_as_html(folder: Path, session: requests.Session) -> None:
    with Mirror(folder) as mirror:
        page = session.get(f"{mirror.url}/?prefix=data%2F2026%2F").text
    rows = re.search(r"<pre>(.*)</pre>", page, re.DOTALL)
    assert rows is not None
    lines = rows[1].strip().split("\n")
    assert len(lines) == 4
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d   5\.0 KB   "
        r'<a href="\?download=data%2F2026%2Fdiscogs_20260601_labels\.xml\.gz">'
        r"discogs_20260601_labels\.xml\.gz</a>",
        lines[1],
    )
    assert "2025" not in page
    assert "secret" not in page


def test_discogs_lists_years(folder: Path, session: requests.Session) -> None:
    with Mirror(folder) as mirror:
        page = session.get(f"{mirror.url}/?prefix=data%2F").text
    assert re.findall(r'href="([^"]*)"', page) == [
        "?prefix=data%2F2025%2F",
        "?prefix=data%2F2026%2F",
    ]


def test_discogs_sends_the_whole_file_whatever_the_range(
    folder: Path, session: requests.Session
) -> None:
    with Mirror(folder) as mirror:
        answer = session.get(
            f"{mirror.url}/?download=data%2F2026%2Fdiscogs_20260701_labels.xml.gz",
            headers={"Range": "bytes=100-"},
        )
    assert (answer.status_code, answer.content) == (200, LABELS)
    assert answer.headers["Content-Length"] == str(len(LABELS))


def test_discogs_states_no_length_for_head(folder: Path, session: requests.Session) -> None:
    with Mirror(folder) as mirror:
        answer = session.head(
            f"{mirror.url}/?download=data%2F2026%2Fdiscogs_20260701_labels.xml.gz"
        )
    assert answer.status_code == 200
    assert "Content-Length" not in answer.headers


def test_discogs_refuses_requests_without_user_agent(
    folder: Path, session: requests.Session
) -> None:
    with Mirror(folder) as mirror:
        answer = session.get(f"{mirror.url}/?prefix=data%2F2026%2F", headers={"User-Agent": ""})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/nothing/here",
        "/?download=data%2F2026%2Fdiscogs_20260801_labels.xml.gz",
        "/?download=data%2F2026%2F..%2Fsecret.txt",
        "/?download=..%2Fsecret.txt",
        "/?download=data%2F2026%2Fdiscogs_20251201_labels.xml.gz",
    ],
)
def test_discogs_answers_unknown_paths_with_a_page(
    folder: Path, session: requests.Session, path: str
) -> None:
    with Mirror(folder) as mirror:
        answer = session.get(mirror.url + path)
    assert answer.status_code == 200
    assert answer.text.startswith("<!DOCTYPE html>")
    assert "secret" not in answer.text


def test_a_new_file_appears_at_once(folder: Path, session: requests.Session) -> None:
    with Mirror(folder) as mirror:
        assert "20260801" not in session.get(f"{mirror.url}/?prefix=data%2F2026%2F").text
        (folder / "discogs_20260801_CHECKSUM.txt").write_text("x")
        assert "20260801" in session.get(f"{mirror.url}/?prefix=data%2F2026%2F").text


def test_s3_lists_by_prefix_and_page(folder: Path, session: requests.Session) -> None:
    keys: list[str] = []
    with Mirror(folder, "s3") as mirror:
        token = ""
        while True:
            answer = session.get(
                mirror.url,
                params={
                    "list-type": "2",
                    "prefix": "data/2026/",
                    "max-keys": "3",
                    "continuation-token": token,
                },
            )
            tree = ElementTree.fromstring(answer.content)
            keys += [key.text or "" for key in tree.iter(f"{NS}Key")]
            token = tree.findtext(f"{NS}NextContinuationToken") or ""
            if not token:
                break
    assert keys == [
        "data/2026/discogs_20260601_CHECKSUM.txt",
        "data/2026/discogs_20260601_labels.xml.gz",
        "data/2026/discogs_20260701_CHECKSUM.txt",
        "data/2026/discogs_20260701_labels.xml.gz",
    ]


def test_s3_folds_years_with_a_delimiter(folder: Path, session: requests.Session) -> None:
    with Mirror(folder, "s3") as mirror:
        answer = session.get(mirror.url, params={"prefix": "data/", "delimiter": "/"})
    prefixes = ElementTree.fromstring(answer.content).iter(f"{NS}CommonPrefixes")
    assert [item.findtext(f"{NS}Prefix") for item in prefixes] == ["data/2025/", "data/2026/"]


@pytest.mark.parametrize(
    ("asked", "sent", "stated"),
    [
        ("bytes=100-", LABELS[100:], "bytes 100-5121/5122"),
        ("bytes=100-199", LABELS[100:200], "bytes 100-199/5122"),
        ("bytes=-10", LABELS[-10:], "bytes 5112-5121/5122"),
    ],
)
def test_s3_honours_a_range(
    folder: Path, session: requests.Session, asked: str, sent: bytes, stated: str
) -> None:
    with Mirror(folder, "s3") as mirror:
        answer = session.get(
            f"{mirror.url}/data/2026/discogs_20260701_labels.xml.gz", headers={"Range": asked}
        )
    assert (answer.status_code, answer.content) == (206, sent)
    assert answer.headers["Content-Range"] == stated


def test_s3_honours_if_range(folder: Path, session: requests.Session) -> None:
    with Mirror(folder, "s3") as mirror:
        url = f"{mirror.url}/data/2026/discogs_20260701_labels.xml.gz"
        etag = session.head(url).headers["ETag"]
        same = session.get(url, headers={"Range": "bytes=9-", "If-Range": etag})
        other = session.get(url, headers={"Range": "bytes=9-", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


def test_s3_answers_errors_in_xml(folder: Path, session: requests.Session) -> None:
    with Mirror(folder, "s3") as mirror:
        url = f"{mirror.url}/data/2026/discogs_20260701_labels.xml.gz"
        missing = session.get(f"{mirror.url}/data/2026/discogs_20260801_labels.xml.gz")
        beyond = session.get(url, headers={"Range": "bytes=5122-"})
    assert (missing.status_code, beyond.status_code) == (404, 416)
    assert ElementTree.fromstring(missing.content).findtext("Code") == "NoSuchKey"
    assert beyond.headers["Content-Range"] == "bytes */5122"


def test_faults_are_used_in_order(folder: Path, session: requests.Session) -> None:
    url = "/data/2026/discogs_20260701_labels.xml.gz"
    with Mirror(folder, "s3", faults=[faults.status(503).on("labels")]) as mirror:
        mirror.add(faults.corrupt(5).on("labels"))
        other = session.get(f"{mirror.url}/data/2026/discogs_20260701_CHECKSUM.txt")
        answers = [session.get(mirror.url + url) for _ in range(3)]
    assert other.status_code == 200
    assert [answer.status_code for answer in answers] == [503, 200, 200]
    assert [answer.content == LABELS for answer in answers] == [False, False, True]
    assert mirror.count("labels") == 3


def test_stopping_does_not_wait_for_a_stalled_body(folder: Path, session: requests.Session) -> None:
    with Mirror(folder, faults=[faults.stall(10, 60)]) as mirror:
        answer = session.get(
            f"{mirror.url}/?download=data%2F2026%2Fdiscogs_20260701_labels.xml.gz", stream=True
        )
        answer.raw.read(5)
    answer.close()


def test_connections_can_be_reset(folder: Path, session: requests.Session) -> None:
    with Mirror(folder, faults=[faults.reset_on_connect(), faults.reset()]) as mirror:
        for _ in range(2):
            with pytest.raises(requests.ConnectionError):
                session.get(mirror.url)
        assert session.get(mirror.url).status_code == 200
        assert len(mirror.seen) == 2


def test_a_client_with_too_many_requests_is_blocked(
    folder: Path, session: requests.Session
) -> None:
    with Mirror(folder, behaviour=Behaviour(requests=2, barred_seconds=0.3)) as mirror:
        answers = [session.get(mirror.url) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json()["message"]
        assert answers[2].headers["Content-Type"] == "application/json"
        assert answers[2].headers["Retry-After"] == "0"
        time.sleep(0.2)
        assert session.get(mirror.url).status_code == 429  # which extends the block
        time.sleep(0.2)
        assert session.get(mirror.url).status_code == 429


@pytest.mark.parametrize("layout", ["data.discogs.com", "s3"])
def test_files_may_be_published_in_any_order(
    folder: Path, session: requests.Session, layout: str
) -> None:
    behaviour = Behaviour(publish=("CHECKSUM", "labels"), publish_every=0.5)
    target = "?prefix=data%2F2026%2F" if layout != "s3" else "?list-type=2&prefix=data%2F2026%2F"
    with Mirror(folder, layout, behaviour=behaviour) as mirror:
        first = session.get(f"{mirror.url}/{target}").text
        assert ("CHECKSUM" in first, "labels" in first) == (True, False)
        name = "data/2026/discogs_20260701_labels.xml.gz"
        path = name if layout == "s3" else f"?download={name}"
        assert session.get(f"{mirror.url}/{path}").content != LABELS
        time.sleep(0.6)
        assert "labels" in session.get(f"{mirror.url}/{target}").text
        assert session.get(f"{mirror.url}/{path}").content == LABELS


def test_a_transfer_is_slowed_down_and_cut(folder: Path, session: requests.Session) -> None:
    path = "data/2026/discogs_20260701_labels.xml.gz"
    with Mirror(folder, "s3", behaviour=Behaviour(rate=20_000)) as mirror:
        began = time.monotonic()
        assert session.get(f"{mirror.url}/{path}").content == LABELS
        assert time.monotonic() - began > 0.2
    (request,) = mirror.seen
    assert request.ended is not None
    assert request.ended - request.at > 0.2
    with (
        Mirror(folder, "s3", behaviour=Behaviour(rate=20_000, cut_after=0.1)) as mirror,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        session.get(f"{mirror.url}/{path}")


def test_a_mirror_with_tls_answers_like_one_without(
    folder: Path, session: requests.Session, tmp_path: Path
) -> None:
    pem = tmp_path / "mirror.pem"
    write_certificate(pem, "127.0.0.1")
    assert pem.stat().st_mode & 0o77 == 0
    session.verify, session.trust_env = str(pem), False
    targets = [
        "?prefix=data%2F2026%2F",
        "?download=data%2F2026%2Fdiscogs_20260701_labels.xml.gz",
        "?download=data%2F2026%2Fdiscogs_20260801_labels.xml.gz",
    ]
    with Mirror(folder) as plain, Mirror(folder, tls=pem) as secure:
        for target in targets:
            one, other = (session.get(f"{mirror.url}/{target}") for mirror in (plain, secure))
            assert (one.status_code, one.content) == (other.status_code, other.content)
        head = session.head(f"{secure.url}/{targets[1]}")
        assert (head.status_code, "Content-Length" in head.headers) == (200, False)
        assert [r.target for r in plain.seen] == [r.target for r in secure.seen][:3]


def test_what_tls_needs_is_named(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "for name in ('hypercorn', 'hypercorn.config'): sys.modules[name] = None\n"
        "from discogs.sample.mirror import Mirror\n"
        "Mirror(Path(sys.argv[1]), tls=Path('x.pem'))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={"PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "pip install 'airflow-discogs[mirror]'" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_cleanly_on_a_signal(folder: Path, number: signal.Signals) -> None:
    code = (
        "import sys; from pathlib import Path; from discogs.sample.mirror import Mirror, serve; "
        "serve(Mirror(Path(sys.argv[1]), 's3'), on_ready=lambda url: print(url, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        env={"PYTHONPATH": str(PLUGINS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with requests.Session() as session:
            session.headers["User-Agent"] = "test"
            assert session.get(url).status_code == 200
            process.send_signal(number)
            _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nothing to serve"):
        Mirror(tmp_path / "absent")
