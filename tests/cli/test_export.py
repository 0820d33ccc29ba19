from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from discogs.schema.entities import Entity, Month
from tests.dump_files import write_dump

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]

MAY = Month(2026, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dumps"
    labels = [f"<label><id>{n}</id><name>N</name></label>" for n in range(1, 4)]
    write_dump(folder, MAY, Entity.LABELS, *labels)
    return folder


def test_an_export_says_what_it_wrote_and_refuses_to_replace_it(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    done = run("export", folder, "--month", MAY, "--out", out)
    again = run("export", folder, "--month", MAY, "--out", out)
    replaced = run("export", folder, "--month", MAY, "--out", out, "--overwrite")

    assert (done.returncode, again.returncode, replaced.returncode) == (0, 1, 0)
    first, last = done.stdout.splitlines()
    assert first.startswith("labels: 3 of 3 records exported, 0 rejected")
    assert last.startswith(f"{MAY} is exported to {out}: 5 tables, 3 rows, ")
    assert "is not verified" in done.stderr
    assert again.stdout == ""
    assert "Pass --overwrite to replace the whole month." in again.stderr
    assert again.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--month", "2026-06"], 1, "holds no dump of 2026-06"),
        (["--month", "2026-05", "--entities", "artists"], 1, "holds no dump of 2026-05"),
        (["--month", "2026-05", "--entities", "labels", "masters"], 1, "2026-05 of: masters"),
        (["--month", "2026-05", "--filter", "labels:data_quality=Odd"], 1, "has no record that"),
        (["--month", "2026-05", "--filter", "labels:x=1"], 1, "labels can be filtered by"),
        (["--month", "2026-13"], 2, "'2026-13' is not a month"),
        (["--month", "2026-05", "--entities", "x"], 2, "'x'"),
    ],
)
def test_an_export_that_fails_prints_one_line_and_leaves_nothing(
    run: Run, folder: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    result = run("export", folder, "--out", tmp_path / "out", *arguments)

    assert (result.returncode, result.stdout) == (code, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_a_place_that_cannot_be_written_is_named(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, why in ((tmp_path / "file", "Not a directory"), ("nowhere://x/y", "nowhere")):
        result = run("export", folder, "--month", MAY, "--out", place)
        assert (result.returncode, result.stdout) == (1, "")
        assert why in result.stderr
        assert str(place) in result.stderr
        assert "Traceback" not in result.stderr
