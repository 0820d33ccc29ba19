"""``python -m benchmarks.transfer``: a file over TLS and HTTP/2, compared with curl.

Two pairs of the same work are compared: writing the bytes to a file (curl and the package's
transfer), and also computing their SHA-256 (curl with sha256sum, and a complete download). The
server is nginx if it is installed, else the package's mirror, which limits both. The figures are
those of the best run, since other load on the machine only adds to them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import command
from benchmarks.process import ROOT, Measured, StepFailed, run
from benchmarks.results import machine

NAME = "discogs_20260701_releases.xml.gz"
TITLES = {
    "curl": "curl, to a file",
    "transfer": "the package, to a file",
    "curl_sha256": "curl, then sha256sum",
    "download": "the package, with SHA-256 while writing",
}
#: The steps that are compared: the package's, and curl's.
PAIRS = {"transfer": "curl", "download": "curl_sha256"}

_NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on;
  server {{
    listen 127.0.0.1:{port} ssl; http2 on;
    ssl_certificate {pem}; ssl_certificate_key {pem};
    location /data/2026/ {{ alias {served}/; }}
  }}
}}
"""


def step(name: str, url: str, pem: str, target: str, digest: str) -> None:
    """Run one of the package's steps in this process; prints its time and processor time."""
    from discogs.dumps.curl import Response, Route
    from discogs.dumps.download import download
    from discogs.dumps.listing import DumpFile
    from discogs.dumps.source import DumpSource, make_session
    from discogs.dumps.storage import DumpStorage

    started, busy = time.perf_counter(), time.process_time()
    if name == "transfer":
        route = Route(verify=pem, cert=None, proxy=None, connect=10, read=60)
        response = Response(url, {"User-Agent": "benchmark"}, route)
        with Path(target).open("wb", buffering=0) as file:
            for chunk in response.chunks():
                file.write(chunk)
        response.close()
    else:
        with make_session() as session:
            session.verify = pem
            source = DumpSource(session, url.partition("/data/")[0], "s3")
            download(source, DumpFile(NAME, url), DumpStorage(Path(target).parent), digest)
    print(time.perf_counter() - started, time.process_time() - busy)


def measure(megabytes: int, runs: int) -> dict[str, Any]:
    """Run every step as often as given, one after another in each round."""
    curl = shutil.which("curl")
    if curl is None:
        raise StepFailed("curl is not installed: there is nothing to compare with.")
    taken: dict[str, list[Measured]] = {name: [] for name in TITLES}
    with tempfile.TemporaryDirectory(prefix="discogs-transfer-") as kept:
        folder = Path(kept)
        served, pem = folder / "served", folder / "server.pem"
        served.mkdir()
        digest = _write(served / NAME, megabytes)
        with _server(folder, served, pem) as (server, url):
            target = folder / "fetched" / NAME
            command = [curl, "--silent", "--fail", "--cacert", str(pem), url, "-o", str(target)]
            own = [sys.executable, "-m", "benchmarks.transfer", "--step"]
            given = [url, str(pem), str(target), digest]
            commands: dict[str, Sequence[str]] = {
                "curl": command,
                "transfer": [*own, "transfer", *given],
                "curl_sha256": ["sh", "-c", '"$@" && sha256sum "$0"', str(target), *command],
                "download": [*own, "download", *given],
            }
            for number in range(runs):
                for name, each in commands.items():
                    shutil.rmtree(target.parent, ignore_errors=True)
                    target.parent.mkdir()
                    measured = run(each)
                    if name in PAIRS:  # without the interpreter's start
                        seconds, cpu_seconds = map(float, measured.output.split())
                        measured = replace(measured, seconds=seconds, cpu_seconds=cpu_seconds)
                    taken[name].append(measured)
                    print(f"{number + 1}/{runs} {TITLES[name]}: {taken[name][-1].seconds:.2f} s")
    return _summary(taken, megabytes, server)


def _summary(taken: dict[str, list[Measured]], megabytes: int, server: str) -> dict[str, Any]:
    steps: dict[str, dict[str, Any]] = {
        name: {
            "seconds": min(each.seconds for each in measured),
            "cpu_seconds": min(each.cpu_seconds for each in measured),
            "peak_bytes": max(each.peak_bytes for each in measured),
            "megabytes_per_second": megabytes / min(each.seconds for each in measured),
            "runs": [each.seconds for each in measured],
        }
        for name, measured in taken.items()
    }
    return {
        "megabytes": megabytes,
        "runs": len(taken["curl"]),
        "measured_at": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "server": server,
        "steps": steps,
        # The rate of the package as a share of curl's.
        "ratios": {
            ours: steps[theirs]["seconds"] / steps[ours]["seconds"]
            for ours, theirs in PAIRS.items()
        },
    }


def _write(path: Path, megabytes: int) -> str:
    """Write a file that starts like gzip and cannot be compressed; returns its SHA-256."""
    sha = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(megabytes):
            block = os.urandom(1_000_000)
            block = block if number else b"\x1f\x8b" + block[2:]
            sha.update(block)
            file.write(block)
    return sha.hexdigest()


@contextmanager
def _server(folder: Path, served: Path, pem: Path) -> Iterator[tuple[str, str]]:
    """The name of the server that serves the folder, and the address of the file."""
    from discogs.sample.secure import write_certificate

    nginx = shutil.which("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"https://127.0.0.1:{port}/data/2026/{NAME}"
    if nginx is not None:
        write_certificate(pem, "127.0.0.1")
        config = folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=port, pem=pem, served=served))
        version = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True)
        name = version.stderr.strip().rpartition(" ")[2]
        if tuple(map(int, name.partition("/")[2].split("."))) < (1, 25, 1):
            text = config.read_text().replace("ssl; http2 on;", "ssl http2;")
            config.write_text(text)
        folder.chmod(0o755)  # nginx's workers run as another user
        command = [nginx, "-c", str(config), "-p", str(folder)]
    else:
        name = "the package's mirror"
        command = [sys.executable, "-m", "discogs", "mirror", str(served), "--port", str(port)]
        command += ["--layout", "s3", "--tls", "--certificate", str(pem)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield name, url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def main(arguments: list[str] | None = None) -> int:
    """:returns: the exit code: 0, or 1 when a step failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1500, metavar="N", help="size of the file")
    parser.add_argument("--runs", type=int, default=3, metavar="K", help="runs of each step")
    command.add_folders(parser, data=False)
    parser.add_argument("--step", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.step:
        step(*args.step)
        return 0

    def work() -> None:
        report = measure(args.megabytes, args.runs)
        command.write(args.results, "transfer", report)
        print(table(report))

    return command.exit_code(work)


def table(report: dict[str, Any]) -> str:
    """The figures, as Markdown."""
    rows = ["| | MB/s | processor time per GB | |", "|---|---|---|---|"]
    for name, taken in report["steps"].items():
        cpu = taken["cpu_seconds"] / report["megabytes"] * 1000
        ratio = report["ratios"].get(name)
        beside = f"{ratio:.2f} times the rate of curl" if ratio is not None else ""
        rows.append(
            f"| {TITLES[name]} | {taken['megabytes_per_second']:.0f} | {cpu:.1f} s | {beside} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
