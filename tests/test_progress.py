from __future__ import annotations

import re
import time

import pytest

from discogs import progress as progress_of
from discogs.progress import Parts, Progress


def test_progress_is_a_line_with_share_rate_and_time_left() -> None:
    progress = Progress(
        step="stage", name="labels", done=3_000_000, total=6_000_000, seconds=2, records=500
    )
    assert (progress.share, progress.rate, progress.eta) == (0.5, 1_500_000, 2)
    assert str(progress) == (
        "stage labels: 3.0 of 6.0 MB, 50.0%, 1.50 MB/s, 500 records, 250 records/s, 2 s left"
    )


def test_what_an_earlier_attempt_left_does_not_count_as_speed() -> None:
    progress = Progress(
        step="download", name="f", done=300, total=None, seconds=2, resumed_from=100
    )
    assert (progress.share, progress.rate, progress.eta) == (None, 100, None)
    assert str(progress) == "download f: 0.3 of ? kB, 0.00 MB/s"


def test_a_part_has_a_line_as_it_ends_and_a_long_one_while_it_is_at_work(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(progress_of, "_SLOW_SECONDS", 0.05)
    monkeypatch.setattr(progress_of, "_STILL_SECONDS", 0.05)
    seen: list[Progress] = []
    parts = Parts("merge", "labels", 2, seen.append)
    with parts.part("labels") as found:
        found("3 rows written")
    with parts.part("label_urls"):
        end = time.monotonic() + 10
        while len(caplog.messages) < 3 and time.monotonic() < end:
            time.sleep(0.01)

    quick, started, still, *_, ended = caplog.messages
    assert quick.startswith("merge labels, 1 of 2: labels: 3 rows written, 0.")
    assert started == "merge labels, 2 of 2: label_urls …"
    assert re.fullmatch(r"merge labels, 2 of 2: label_urls … \([0-9.:]+( s)? so far\)", still)
    assert ended.startswith("merge labels, 2 of 2: label_urls: ")
    assert [(each.done, each.total, each.detail) for each in seen] == [
        (0, 2, "labels"),
        (1, 2, "labels"),
        (1, 2, "label_urls"),
        (2, 2, "label_urls"),
    ]
    assert str(seen[-1]) == "merge labels: 2 of 2: label_urls"
