from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from discogs.dumps.answers import retry_after, shown
from discogs.dumps.errors import SourceError, TransferFailed
from discogs.dumps.source import DumpSource
from discogs.dumps.transport import Transport
from discogs.sample import exchange
from discogs.sample.mirror import Mirror
from discogs.sample.secure import write_certificate
from tests import faults
from tests.dumps.conftest import JULY, QUICK, Open


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3574", 3574),
        (" 0 ", 0),
        ("99999999999999999999", 30 * 86400),
        (None, None),
        ("soon", None),
        ("-1", None),
        ("٣", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds


def test_retry_after_may_be_a_date() -> None:
    when = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=100)
    wait = retry_after(email.utils.format_datetime(when, usegmt=True))
    assert wait == pytest.approx(100, abs=2)


def test_a_shown_address_has_no_secret() -> None:
    assert shown("https://me:pw@h.org:1/a?X-Amz-Signature=abc") == "https://h.org:1/a"
    assert shown("https://h.org/?download=data%2F1") == "https://h.org/?download=data%2F1"


def test_a_redirect_loop_ends(place: Open) -> None:
    at = place(faults=[faults.redirect_loop()])
    with pytest.raises(SourceError, match="more than 5 times"):
        at.source.find(JULY)
    assert len(at.mirror.seen) == 6


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_server_is_followed(place: Open, code: int) -> None:
    at = place(faults=[faults.redirect("{target}", code)])
    assert len(at.source.find(JULY).files) == 4


@pytest.mark.parametrize("to", ["ftp://example.org/x", "file:///etc/passwd", "http://["])
def test_a_redirect_to_another_scheme_is_refused(place: Open, to: str) -> None:
    at = place(faults=[faults.redirect(to)])
    with pytest.raises(SourceError):
        at.source.find(JULY)
    assert len(at.mirror.seen) == 1


def test_the_body_of_a_redirect_is_not_read(place: Open) -> None:
    def endless(
        _request: exchange.Request, _reply: exchange.Reply, _wait: exchange.Wait
    ) -> exchange.Reply:
        body = (b" " * 65536 for _ in range(1 << 40))
        return exchange.Reply(302, {"Location": "ftp://x", "Content-Length": str(1 << 56)}, body)

    at = place(faults=[exchange.Fault("endless redirect", endless)])
    with pytest.raises(SourceError):
        at.source.find(JULY)


def test_a_login_does_not_follow_to_another_server(place: Open, folder: Path) -> None:
    with Mirror(folder, "s3") as other:
        at = place(faults=[faults.redirect(f"{other.url}{{target}}")])
        session = at.source.transport.session
        session.auth = ("me", "secret")
        session.headers["X-Key"] = "secret"
        assert len(at.source.find(JULY).files) == 4
        (asked,), (followed,) = at.mirror.seen, other.seen
    assert asked.headers["authorization"].startswith("Basic ")
    assert asked.headers["x-key"] == "secret"
    assert "secret" not in str({**followed.headers})
    assert "authorization" not in followed.headers
    assert followed.headers["user-agent"] == "tests/1"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a self-signed certificate."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    write_certificate(path, "127.0.0.1")
    return path


def test_an_unknown_certificate_ends_at_once(
    folder: Path, pem: Path, session: requests.Session
) -> None:
    with Mirror(folder, "s3", tls=pem) as mirror:
        with pytest.raises(SourceError, match="cannot be trusted: self-signed certificate"):
            DumpSource(session, mirror.url, "s3", QUICK).find(JULY)
        assert mirror.seen == []


def test_a_trusted_certificate_is_accepted_and_not_redirected_to_http(
    folder: Path, pem: Path, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with Mirror(folder, "s3") as plain, Mirror(folder, "s3", tls=pem) as mirror:
        source = DumpSource(session, mirror.url, "s3", QUICK)
        assert len(source.find(JULY).files) == 4
        mirror.add(faults.redirect(f"{plain.url}{{target}}"))
        with pytest.raises(SourceError, match="from https to http"):
            source.find(JULY)
        assert plain.seen == []


def test_a_server_without_tls_is_an_error(folder: Path, session: requests.Session) -> None:
    with Mirror(folder, "s3") as plain:
        source = DumpSource(session, plain.url.replace("http:", "https:"), "s3", QUICK)
        with pytest.raises(TransferFailed, match="5 attempts"):
            source.find(JULY)


def test_an_unreachable_server_is_an_error(folder: Path, session: requests.Session) -> None:
    with Mirror(folder, "s3") as gone:
        url = gone.url
    with pytest.raises(TransferFailed, match="Connection refused"):
        DumpSource(session, url, "s3", QUICK).find(JULY)


def test_a_server_that_does_not_accept_connections_is_an_error(session: requests.Session) -> None:
    limits = dataclasses.replace(QUICK, connect=0.2, attempts=2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as stack:
        # Nobody accepts, and once the queue is full the system answers no more.
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        source = DumpSource(session, f"http://127.0.0.1:{full.getsockname()[1]}", "s3", limits)
        with pytest.raises(TransferFailed, match=r"2 attempts\): no connection within 0\.2 s"):
            source.find(JULY)


def test_an_unknown_host_is_an_error(session: requests.Session) -> None:
    source = DumpSource(session, "http://no-such-host.invalid", "s3", QUICK)
    with pytest.raises(TransferFailed, match="host name was not found"):
        source.find(JULY)


def test_a_text_ends_at_its_limit(place: Open, session: requests.Session) -> None:
    at = place()
    body = Transport(session, QUICK).text(at.file.url, 100)
    assert body == at.data[:101]
