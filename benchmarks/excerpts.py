"""Dumps from real data: the releases of a real excerpt, repeated with new ids.

Sampled releases are larger than real ones and have other proportions; these dumps show tuning that
fits sampled ones only. The excerpts are not in the repository: ``DISCOGS_SAMPLES`` is their folder.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from benchmarks.process import StepFailed

_RECORD = re.compile(rb'<release id="[0-9]+"(.*?</release>)', re.DOTALL)
#: One of this many records changes from one month to the next: 2 %.
_CHANGED_OF = 50


def largest(samples: Path) -> Path:
    """The largest excerpt of releases below a folder.

    :raises StepFailed: when there is none.
    """
    found = sorted(
        samples.glob("*/discogs_*_releases.xml.gz"), key=lambda path: path.stat().st_size
    )
    if not found:
        raise StepFailed(f"{samples} holds no excerpt such as 2026-04/discogs_*_releases.xml.gz.")
    return found[-1]


def repeat(excerpt: Path, path: Path, releases: int, *, changed: bool) -> None:
    """Replace a dump by one of this many releases, and correct its CHECKSUM.txt.

    :param changed: give 2 % of the releases another title, as in the month after.
    """
    bodies = _RECORD.findall(gzip.decompress(excerpt.read_bytes()))
    path.unlink()
    with path.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        packed.write(b"<releases>\n")
        for record in _records(bodies, releases, changed=changed):
            packed.write(record)
        packed.write(b"</releases>\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    marker = path.with_name(path.name.replace("releases.xml.gz", "CHECKSUM.txt"))
    lines = [line for line in marker.read_text().splitlines() if path.name not in line]
    marker.write_text("\n".join([*lines, f"{digest} {path.name}"]) + "\n")


def _records(bodies: list[bytes], releases: int, *, changed: bool) -> Iterator[bytes]:
    for number, body in enumerate(islice(cycle(bodies), releases), start=1):
        text = body
        if changed and number % _CHANGED_OF == 0:
            text = body.replace(b"<title>", b"<title>Changed ", 1)
        yield b'<release id="%d"%s\n' % (number, text)
