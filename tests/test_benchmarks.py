"""The benchmark runs, and its report has all figures. Durations are not tested."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import excerpts
from benchmarks.chart import growth_chart
from benchmarks.results import growth

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[1]
RELEASES = 300
TAKEN = (
    "seconds",
    "client_cpu_seconds",
    "server_cpu_seconds",
    "peak_bytes",
    "others_cpu_seconds",
    "startup_seconds",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a small run of the benchmark."""
    folder = tmp_path_factory.mktemp("benchmarks")
    command = [sys.executable, "-m", "benchmarks", f"--releases={RELEASES}", "--runs=1"]
    command += [f"--growth={RELEASES}", f"--data={folder / 'data'}"]
    command += [f"--results={folder / 'results'}"]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{RELEASES:,} releases, median of 1 runs" in done.stdout
    (folder / "results" / "terminal.txt").write_text(done.stdout)
    return folder / "results"


def report_of(results: Path, name: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((results / f"{name}.json").read_text())
    return report


def words(path: Path) -> str:
    """The text of an SVG drawing, which must be well-formed."""
    return " ".join(ElementTree.parse(path).getroot().itertext())


def test_each_step_has_every_figure(results: Path) -> None:
    report = report_of(results, f"load-{RELEASES}")
    assert set(report["steps"]) == {"first", "floor", "update"}
    for step in report["steps"].values():
        for each in (step["median"], step["min"], step["max"], *step["runs"]):
            for name in TAKEN:
                assert math.isfinite(each[name])
        assert step["median"]["client_cpu_seconds"] > 0
        assert step["median"]["server_cpu_seconds"] > 0
        assert step["median"]["peak_bytes"] > 10_000_000
        assert step["releases_per_second"] > 0
        assert step["rows_per_second"] > 0
        assert len(step["runs"]) == 1


def test_the_ratios_are_those_of_the_seconds(results: Path) -> None:
    report = report_of(results, f"load-{RELEASES}")
    seconds = {name: step["median"]["seconds"] for name, step in report["steps"].items()}
    assert set(report["ratios"]) == {"first_vs_floor", "update_vs_first"}
    ratios = report["ratios"]
    assert ratios["first_vs_floor"]["median"] == seconds["first"] / seconds["floor"]
    assert ratios["update_vs_first"]["median"] == seconds["first"] / seconds["update"]


def test_an_update_reads_all_and_writes_what_changed(results: Path) -> None:
    steps = report_of(results, f"load-{RELEASES}")["steps"]
    first, update = steps["first"]["runs"][0]["report"], steps["update"]["runs"][0]["report"]
    assert first["first_load"]
    assert first["read"] == first["inserted"] == RELEASES
    assert not update["first_load"]
    assert update["updated"] == round(0.02 * RELEASES)
    assert update["unchanged"] + update["updated"] + update["inserted"] == update["read"]


def test_the_floor_ends_in_the_rows_and_keys_of_the_load(results: Path) -> None:
    content = report_of(results, f"load-{RELEASES}")["content"]
    for what in ("tables", "rows_of", "primary_keys", "foreign_keys", "indexes"):
        assert content["floor"][what] == content["first"][what]
    assert content["first"]["rows"] > 10 * RELEASES


def test_the_report_says_what_was_measured_on(results: Path) -> None:
    report = report_of(results, f"load-{RELEASES}")
    assert report["machine"]["processors"] >= 1
    assert report["postgresql"]["version"].startswith("18")
    assert report["postgresql"]["settings"]["fsync"] == "on"
    assert report["settings"]["workers"] >= 1


def test_the_growth_has_a_point_for_each_size(results: Path) -> None:
    measured = report_of(results, f"growth-{RELEASES}")
    assert [point["releases"] for point in measured["points"]] == [RELEASES]
    small = report_of(results, f"load-{RELEASES}")
    large = {**small, "releases": 25 * RELEASES}
    report = growth([large, small])
    assert [point["releases"] for point in report["points"]] == [RELEASES, 25 * RELEASES]
    for point in report["points"]:
        assert set(point["steps"]) == {"first", "update"}
        assert point["ratios"]["update_vs_first"]["median"] > 0
    drawn = ElementTree.fromstring(growth_chart(report))
    assert f"{25 * RELEASES:,}" in " ".join(drawn.itertext())


def test_an_excerpt_is_repeated_with_new_ids_and_two_percent_changed(tmp_path: Path) -> None:
    record = '<release id="{}"><title>T {}</title>\n<master_id>9</master_id></release>\n'
    excerpt = tmp_path / "2026-04" / "discogs_20260401_releases.xml.gz"
    excerpt.parent.mkdir()
    text = "".join(record.format(number, number) for number in (7, 9, 12))
    excerpt.write_bytes(gzip.compress(f"<releases>\n{text}</releases>\n".encode()))
    assert excerpts.largest(tmp_path) == excerpt

    written, marker = tmp_path / "discogs_20260201_releases.xml.gz", "discogs_20260201_CHECKSUM.txt"
    written.touch()
    (tmp_path / marker).write_text(f"old {written.name}\n")
    excerpts.repeat(excerpt, written, 100, changed=True)

    found = gzip.decompress(written.read_bytes()).decode()
    assert re.findall('<release id="([0-9]+)">', found) == [str(n) for n in range(1, 101)]
    assert re.findall('"([0-9]+)"><title>Changed T', found) == ["50", "100"]
    assert (found.count("T 7"), found.count("<master_id>9</master_id>")) == (34, 100)
    digest = hashlib.sha256(written.read_bytes()).hexdigest()
    assert (tmp_path / marker).read_text() == f"{digest} {written.name}\n"


def test_the_charts_name_every_step(results: Path) -> None:
    drawn = words(results / f"load-{RELEASES}.svg")
    for text in ("first load", "floor", "update", f"{RELEASES:,} releases", "releases/s", "MB"):
        assert text in drawn
    drawn = words(results / f"growth-{RELEASES}.svg")
    for text in ("first load", "update", "seconds", "peak memory"):
        assert text in drawn


def test_the_tables_fit_a_terminal(results: Path) -> None:
    shown = (results / "terminal.txt").read_text()
    assert "…" not in shown
    for text in ("first load", "peak MB", "foreign keys", "times as long as the floor"):
        assert text in shown


def test_a_size_that_is_not_a_number_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--releases=many"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "whole number" in done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here to compare with")
def test_a_transfer_is_measured_beside_curl(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.transfer", "--megabytes=20", "--runs=1"]
    done = subprocess.run(
        [*command, f"--results={tmp_path}"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = report_of(tmp_path, "transfer")
    assert report["server"]
    for name in ("curl", "transfer", "curl_sha256", "download"):
        step = report["steps"][name]
        assert min(step["seconds"], step["cpu_seconds"], step["megabytes_per_second"]) > 0
    assert report["ratios"].keys() == {"transfer", "download"}
    assert done.stdout.count("times the rate of curl") == 2


@pytest.mark.full
def test_the_cost_of_the_options_and_the_searches_are_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.options", f"--releases={RELEASES}"]
    command += [f"--data={tmp_path / 'data'}", f"--results={tmp_path}"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), "COLUMNS": "80"}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = report_of(tmp_path, f"options-{RELEASES}")
    assert set(report["variants"]) == {"no options", "search indexes", "old values"}
    assert all(found["median"] > 0 for found in report["searches"].values())


@pytest.mark.full
def test_shards_are_measured_beside_the_export(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.shards", f"--releases={RELEASES}", "--runs=1"]
    command += [f"--data={tmp_path / 'data'}", f"--results={tmp_path}"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    steps = report_of(tmp_path, f"shards-{RELEASES}")["steps"]
    assert steps["reading"]["read"] == RELEASES
    for shards in (1, 2, 4, 8):
        load, export = steps[f"load {shards}"], steps[f"export {shards}"]
        assert load["longest_shard_seconds"] * shards >= load["stage_seconds"] > 0
        assert min(load["cpu_seconds"], load["server_cpu_seconds"], export["bytes"]) > 0
    assert "read once and divided" in done.stdout
