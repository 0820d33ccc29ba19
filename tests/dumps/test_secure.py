"""Transfers over TLS, by HTTP/2 and HTTP/1.1: cuts, logins, certificates, proxies, the window."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from discogs.dumps.answers import Broken
from discogs.dumps.curl import Response, Route
from discogs.dumps.download import DownloadReport, download
from discogs.dumps.errors import (
    AddressInvalid,
    DumpIncomplete,
    SourceError,
    TransferCut,
    TransferFailed,
)
from discogs.dumps.listing import DumpFile
from discogs.dumps.names import DumpName, Layout
from discogs.dumps.source import DumpSource
from discogs.dumps.storage import DumpStorage
from discogs.sample.mirror import Behaviour, Mirror
from discogs.sample.secure import write_certificate
from tests import faults
from tests.dumps.conftest import JULY, QUICK, left

pytestmark = pytest.mark.slow

NAME = "discogs_20260701_labels.xml.gz"
#: Such that the file of 60 KB needs a second.
RATE = 60_000


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    write_certificate(path, "127.0.0.1")
    return path


@pytest.fixture
def trusting(session: requests.Session, pem: Path) -> requests.Session:
    session.verify = str(pem)
    return session


def fetch(
    mirror: Mirror, session: requests.Session, storage: DumpStorage, folder: Path
) -> DownloadReport:
    layout = Layout.S3
    source = DumpSource(session, mirror.url, layout, QUICK)
    name = DumpName.parse(NAME)
    assert name is not None
    digest = hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    file = DumpFile(NAME, source.url(name))
    return download(source, file, storage, digest, shortest_cut=0.3, progress_seconds=0.05)


def test_files_are_fetched_over_http_2_and_small_documents_with_requests(
    folder: Path, pem: Path, trusting: requests.Session, storage: DumpStorage
) -> None:
    with Mirror(folder, "s3", tls=pem) as mirror:
        source = DumpSource(trusting, mirror.url, "s3", QUICK)
        source.checksums(source.find(JULY))
        report = fetch(mirror, trusting, storage, folder)
        assert [request.version for request in mirror.seen] == ["1.1", "1.1", "2"]
        assert mirror.seen[-1].headers["user-agent"] == "tests/1"
    assert report.attempts == 1
    assert left(storage) == [NAME]


def test_a_transfer_over_http_2_succeeds_if_only_http_1_is_cut(
    folder: Path, pem: Path, trusting: requests.Session, storage: DumpStorage
) -> None:
    behaviour = Behaviour(cut_after=0.5, cut_http1_only=True, rate=RATE, ignore_range=True)
    with Mirror(folder, "s3", behaviour=behaviour) as old:
        with pytest.raises(TransferCut) as caught:
            fetch(old, trusting, storage, folder)
        assert len(old.seen) == 2
    assert "over HTTP/1.1" in str(caught.value)
    assert left(storage) == []

    with Mirror(folder, "s3", behaviour=behaviour, tls=pem) as mirror:
        assert fetch(mirror, trusting, storage, folder).attempts == 1
        assert len(mirror.seen) == 1
    assert left(storage) == [NAME]


@pytest.mark.parametrize("tls", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_two_cuts_at_the_same_age_are_enough(
    folder: Path, pem: Path, trusting: requests.Session, storage: DumpStorage, tls: bool
) -> None:
    behaviour = Behaviour(cut_after=0.5, rate=RATE, ignore_range=True)
    with Mirror(folder, "s3", behaviour=behaviour, tls=pem if tls else None) as mirror:
        with pytest.raises(TransferCut) as caught:
            fetch(mirror, trusting, storage, folder)
        assert len(mirror.seen) == 2
    assert not caught.value.transient
    said = str(caught.value)
    for part in ("was cut after 0:0", "does not resume", "min are needed", "faster connection"):
        assert part in said
    assert f"over HTTP/{'2' if tls else '1.1'}" in said
    assert left(storage) == []


def test_the_error_for_cut_transfers_has_the_figures_and_what_to_do() -> None:
    error = TransferCut("releases.xml.gz", [430.0, 425.0], 5_100_000_000, 11_250_000_000, "1.1")
    assert str(error) == (
        "releases.xml.gz was cut after 7:05 min with 5.10 GB of 11.25 GB at 12.0 MB/s over"
        " HTTP/1.1, and in the attempt before after 7:10 min; this server does not resume"
        " transfers; at this rate 15:37 min are needed. Use a faster connection or a mirror, or"
        " download the file on another machine (python -m discogs fetch). The next scheduled run"
        " tries again."
    )


def test_cuts_at_different_ages_are_tried_again(
    folder: Path, trusting: requests.Session, storage: DumpStorage
) -> None:
    behaviour = Behaviour(rate=RATE, ignore_range=True)
    cuts = [faults.cut(n) for n in (50_000, 20_000)]
    with Mirror(folder, "s3", behaviour=behaviour, faults=cuts) as mirror:
        assert fetch(mirror, trusting, storage, folder).attempts == 3
    assert left(storage) == [NAME]


def test_three_long_transfers_that_are_lost_are_enough(
    folder: Path, trusting: requests.Session, storage: DumpStorage
) -> None:
    behaviour = Behaviour(rate=RATE, ignore_range=True)
    cuts = [faults.cut(n) for n in (50_000, 22_000, 45_000)]
    with Mirror(folder, "s3", behaviour=behaviour, faults=cuts) as mirror:
        with pytest.raises(TransferCut):
            fetch(mirror, trusting, storage, folder)
        assert len(mirror.seen) == 3


def test_a_transfer_that_makes_progress_has_no_limit_of_attempts(
    folder: Path, pem: Path, trusting: requests.Session, storage: DumpStorage
) -> None:
    data = gzip.compress(random.Random(1).randbytes(9_000_000), compresslevel=0)
    (folder / NAME).write_bytes(data)
    with Mirror(folder, "s3", behaviour=Behaviour(cut_after=0.5, rate=4e6), tls=pem) as mirror:
        source = DumpSource(trusting, mirror.url, "s3", dataclasses.replace(QUICK, attempts=2))
        name = DumpName.parse(NAME)
        assert name is not None
        digest = hashlib.sha256(data).hexdigest()
        report = download(source, DumpFile(NAME, source.url(name)), storage, digest)
        assert {request.version for request in mirror.seen} == {"2"}
        assert all(request.range for request in mirror.seen[1:])
    assert report.attempts > 3
    assert report.transferred == len(data)


def test_a_login_is_sent_only_to_its_server(
    folder: Path, pem: Path, trusting: requests.Session, storage: DumpStorage
) -> None:
    trusting.auth = ("me", "secret")
    trusting.headers["X-Key"] = "secret"
    with Mirror(folder, "s3", tls=pem) as other, Mirror(folder, "s3", tls=pem) as mirror:
        mirror.add(faults.redirect(f"{other.url}{{target}}"))
        fetch(mirror, trusting, storage, folder)
        (asked,), (followed,) = mirror.seen, other.seen
    assert asked.headers["authorization"].startswith("Basic ")
    assert asked.headers["x-key"] == "secret"
    assert followed.headers["user-agent"] == "tests/1"
    assert {"authorization", "x-key"}.isdisjoint(followed.headers)
    assert "secret" not in str(followed.headers)


def test_no_message_has_a_secret(
    folder: Path, session: requests.Session, storage: DumpStorage
) -> None:
    session.auth = ("me", "pa55word")
    session.proxies = {"http": "http://me:pa55word@127.0.0.1:1"}
    with (
        Mirror(folder, "s3") as mirror,
        pytest.raises(TransferFailed, match="Connection refused") as caught,
    ):
        fetch(mirror, session, storage, folder)
    assert "pa55word" not in str(caught.value)


def test_an_unknown_certificate_ends_a_transfer_at_once(
    folder: Path, pem: Path, session: requests.Session, storage: DumpStorage
) -> None:
    with Mirror(folder, "s3", tls=pem) as mirror:
        with pytest.raises(SourceError, match="cannot be trusted: self-signed certificate"):
            fetch(mirror, session, storage, folder)
        assert mirror.seen == []
        session.verify = False
        fetch(mirror, session, storage, folder)
    assert left(storage) == [NAME]


def test_the_environments_certificates_are_trusted(
    folder: Path,
    pem: Path,
    session: requests.Session,
    storage: DumpStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with Mirror(folder, "s3", tls=pem) as mirror:
        fetch(mirror, session, storage, folder)
        session.trust_env = False
        storage.delete(NAME)
        with pytest.raises(SourceError, match="cannot be trusted"):
            fetch(mirror, session, storage, folder)


def test_a_redirect_from_https_to_http_is_refused(
    folder: Path, pem: Path, trusting: requests.Session, storage: DumpStorage
) -> None:
    with Mirror(folder, "s3") as plain, Mirror(folder, "s3", tls=pem) as mirror:
        mirror.add(faults.redirect(f"{plain.url}{{target}}"))
        with pytest.raises(SourceError, match="from https to http"):
            fetch(mirror, trusting, storage, folder)
        assert plain.seen == []


def test_a_proxy_of_the_session_is_used(
    folder: Path, session: requests.Session, storage: DumpStorage
) -> None:
    with Mirror(folder, "s3") as proxy:
        session.proxies = {"http": proxy.url}
        source = DumpSource(session, "http://no-such-host.invalid", "s3", QUICK)
        file = DumpFile(NAME, f"http://no-such-host.invalid/{NAME}")
        with pytest.raises(DumpIncomplete):
            download(source, file, storage, "0" * 64)
        assert proxy.seen[0].target == file.url


def test_the_response_of_a_proxys_tunnel_is_not_taken_for_the_servers(
    folder: Path, pem: Path, trusting: requests.Session, storage: DumpStorage
) -> None:
    with Mirror(folder, "s3", tls=pem) as mirror, tunnel() as (address, asked):
        trusting.proxies = {"https": address}
        fetch(mirror, trusting, storage, folder)
        assert asked == [f"CONNECT {mirror.url.removeprefix('https://')} HTTP/1.1"]
    assert left(storage) == [NAME]


@contextmanager
def tunnel() -> Iterator[tuple[str, list[str]]]:
    """A proxy for one CONNECT: its address, and the first lines that it received."""
    asked: list[str] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with suppress(OSError):
            client, _ = listening.accept()
            with client:
                head = client.recv(1 << 16).decode()
                asked.append(head.split("\r\n")[0])
                host, _, port = head.split()[1].partition(":")
                with socket.create_connection((host, int(port))) as server:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
                    back = threading.Thread(target=pump, args=(server, client))
                    back.start()
                    pump(client, server)
                    back.join()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize("pair", [False, True])
def test_the_clients_certificate_is_sent_if_the_server_requests_it(pem: Path, pair: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.load_verify_locations(pem)
    context.verify_mode = ssl.CERT_REQUIRED
    shown: list[dict[str, object]] = []

    def serve() -> None:
        plain, _ = listening.accept()
        with context.wrap_socket(plain, server_side=True) as client:
            shown.append(client.getpeercert() or {})
            client.recv(1 << 16)
            early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            client.sendall(early + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        cert = (str(pem), str(pem)) if pair else str(pem)
        route = Route(verify=str(pem), cert=cert, proxy=None, connect=5, read=5)
        response = Response(f"https://127.0.0.1:{listening.getsockname()[1]}/", {}, route)
        assert (response.status_code, response.headers) == (200, {"content-length": "2"})
        assert b"".join(response.chunks()) == b"ok"
        response.close()
        thread.join(10)
    assert shown != [{}]


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("gopher://127.0.0.1/", AddressInvalid, "libcurl cannot read it"),
        ("http://no-such-host.invalid/", Broken, "the host name was not found"),
        ("http://127.0.0.1:1/", Broken, r"the connection failed \(Connection refused\)"),
    ],
)
def test_errors_of_libcurl_have_plain_messages(url: str, error: type[Exception], said: str) -> None:
    route = Route(verify=True, cert=None, proxy=None, connect=5, read=5)
    with pytest.raises(error, match=said):
        Response(url, {}, route)


def test_the_flow_control_window_does_not_limit_a_fast_connection(pem: Path) -> None:
    """1 Gbit/s at 100 ms needs 12.5 MB under way; the default window of HTTP/2 is 64 KiB."""
    windows: list[int] = []
    with http2_server(pem, windows.append) as url:
        route = Route(verify=str(pem), cert=None, proxy=None, connect=5, read=5)
        response = Response(url, {"User-Agent": "tests/1"}, route)
        try:
            assert b"".join(response.chunks()) == b"x" * 16_384
        finally:
            response.close()
    assert min(windows) >= 12_500_000


@contextmanager
def http2_server(pem: Path, told: Callable[[int], object]) -> Iterator[str]:
    """Answers one request, and records the client's flow-control windows: of the stream, and in
    all."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import RequestReceived

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2"])

    def serve() -> None:
        plain, _ = listening.accept()
        with context.wrap_socket(plain, server_side=True) as client:
            h2 = H2Connection(H2Configuration(client_side=False))
            h2.initiate_connection()
            client.sendall(h2.data_to_send())
            client.settimeout(1)
            with suppress(TimeoutError):
                while data := client.recv(1 << 16):
                    for event in h2.receive_data(data):
                        if isinstance(event, RequestReceived):
                            h2.send_headers(1, [(":status", "200")])
                            h2.send_data(1, b"x" * 16_384)
                    client.sendall(h2.data_to_send())
            told(h2.local_flow_control_window(1))
            told(h2.outbound_flow_control_window)
            h2.end_stream(1)
            client.sendall(h2.data_to_send())

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join(10)
