"""``python -m discogs`` with small blocks and COPYs, so that a small dump is loaded in as many
steps as a large one. Run as a script; the first argument is how long a first load waits for
readers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from discogs.cli.main import main
from discogs.load import run
from discogs.load.stage import Sizes


def overriding(function: Callable[..., Any], **given: Any) -> Callable[..., Any]:
    """The function, with some arguments overridden."""
    return lambda *arguments, **named: function(*arguments, **{**named, **given})


if __name__ == "__main__":
    swap_seconds, *arguments = sys.argv[1:]
    sizes = Sizes(block=64 * 1024, flush=256 * 1024)
    run.stage = overriding(run.stage, sizes=sizes)  # type: ignore[attr-defined]
    run.merge = overriding(run.merge, swap_seconds=float(swap_seconds))  # type: ignore[attr-defined]
    sys.exit(main(arguments))
