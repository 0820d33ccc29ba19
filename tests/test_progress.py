from __future__ import annotations

from discogs.progress import Progress


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
