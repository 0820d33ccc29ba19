from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Launch = Callable[..., "subprocess.Popen[str]"]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "discogs", *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PLUGINS), "COLUMNS": "100", **variables}


def call(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m discogs`` with some arguments and environment variables."""
    return subprocess.run(
        command(*arguments),
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def run() -> Run:
    return call


def _interruptible() -> None:
    """Let SIGINT end the program, also where the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def launch() -> Callable[..., subprocess.Popen[str]]:
    """Starts ``python -m discogs`` and leaves it running."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_interruptible,
        )

    return start
