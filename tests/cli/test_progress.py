"""The progress bars of a command, on a terminal and off it."""

from __future__ import annotations

import os
import pty
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from discogs.cli.progress import Bars


def test_a_terminal_shows_a_bar_for_each_thing_with_its_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    shown, terminal = pty.openpty()
    written = bytearray()

    def read() -> None:
        with suppress(OSError):  # when the writer has ended
            while data := os.read(shown, 4096):
                written.extend(data)

    with ThreadPoolExecutor(1) as reader, os.fdopen(terminal, "w") as stderr:
        reader.submit(read)
        monkeypatch.setattr("sys.stderr", stderr)
        with Bars("records") as bars:
            bars.update("labels", 1_234, 5_000)
            bars.update("labels", 5_000, 5_000)
            bars.update("artists", 7, None)
            bars.update("releases", 1_500_000, 3_000_000, "bytes")
    os.close(shown)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    for expected in (
        r"labels +━+ +5,000 of 5,000",
        r"artists +━+ +7 of \?",
        r"releases +━+.* 1\.5 of 3\.0 MB",
    ):
        assert re.search(expected, text), text


def test_no_bars_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars("records") as bars:
        bars.update("labels", 1, 2)
    assert capsys.readouterr() == ("", "")
