"""discogskit, from PyPI, in its own environment, with the same file and the same server."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path

from benchmarks.process import Measured, run

NAME = "discogskit"
VERSION = "0.2.0"
#: The schema that it loads into.
SCHEMA = "public"
#: The variant whose options suit the size of the file.
TUNED = "tuned"


def install(folder: Path) -> Path:
    """Install it if missing; returns its program."""
    program = folder / "bin" / NAME
    done = folder / f"{NAME}-{VERSION}"
    if not done.exists():
        run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        run([*pip, "--disable-pip-version-check", f"{NAME}=={VERSION}"])
        done.touch()
    return program


def variants(processors: int) -> dict[str, list[str]]:
    """The options to measure: its defaults, more parsers, and tuned.

    A chunk of its default size, 256 MiB, holds a whole small file, which leaves all parsers but one
    idle; so the last variant has smaller chunks, and also writes in parallel.
    """
    workers = ["--parse-workers", str(processors)]
    writers = ["--pg-write-workers", str(processors)]
    return {
        "defaults": [],
        "parallel": workers,
        TUNED: [*workers, *writers, "--chunk-mb", "32"],
    }


def load(program: Path, dsn: str, dump: Path, folder: Path, options: list[str]) -> Measured:
    """Load a file, in a temporary folder, since discogskit decompresses the file beside it."""
    folder.mkdir(parents=True)
    here = folder / dump.name
    try:
        linked = False
        with suppress(OSError):
            here.hardlink_to(dump)
            linked = True
        if not linked:
            shutil.copyfile(dump, here)
        command = [str(program), "load", str(here), "--dsn", dsn, "--fk", "--no-progress"]
        return run([*command, *options], cwd=folder)
    finally:
        shutil.rmtree(folder)
