"""The steps of a measurement, in their order, and the checks of their results."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import excerpts, peer
from benchmarks.process import ROOT, Measured, StepFailed, step
from benchmarks.server import Server, started
from discogs.schema.entities import Entity, Month
from discogs.schema.mapping import TABLES
from discogs.settings import Settings

FIRST_MONTH = Month(2026, 1)
NEXT_MONTH = FIRST_MONTH.plus(1)
_SMALL = [str(entity) for entity in Entity if entity is not Entity.RELEASES]
_RELEASES = [str(Entity.RELEASES)]
#: Disk space per release: both dumps, two databases and the server's log; and the floor's files and
#: database.
_DISK_BYTES, _FLOOR_BYTES = 12_000, 18_000
#: Releases that the other entities are sampled for, if the releases come from an excerpt.
_SAMPLED = 40_000

Log = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to measure.

    :param samples: a folder of real excerpts, whose releases are repeated in place of sampled ones.
    :param parent: folder for the server's folder; default: the system's temporary folder.
    """

    releases: int
    runs: int = 3
    seed: int = 1
    floor: bool = True
    peer: bool = False
    data: Path = ROOT / "benchmarks" / ".data"
    samples: Path | None = None
    parent: Path | None = None

    @property
    def name(self) -> str:
        """The name of its results."""
        return f"load-{self.releases}" + ("-excerpts" if self.samples else "")


@dataclass
class Outcome:
    """The runs of each step, in their order, and what they worked on."""

    plan: Plan
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    dump: dict[str, Any] = field(default_factory=dict)
    content: dict[str, dict[str, Any]] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    peer_options: dict[str, list[str]] = field(default_factory=dict)


def dumps(plan: Plan, log: Log) -> Path:
    """The folder with two months of sample dumps, written once per size and seed."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "plugins" / "discogs" / "sample").glob("*.py")):
        if path.stem not in {"mirror", "layouts", "faults"}:
            digest.update(path.read_bytes())
    excerpt = excerpts.largest(plan.samples) if plan.samples is not None else None
    if excerpt is not None:
        digest.update(excerpt.read_bytes())
        digest.update(Path(excerpts.__file__).read_bytes())
    folder = plan.data / f"{plan.name.replace('load', 'dumps')}-{plan.seed}"
    about = {"releases": plan.releases, "seed": plan.seed, "generator": digest.hexdigest()}
    note = folder / "sample.json"
    if note.exists() and json.loads(note.read_text()) == about:
        return folder
    log(f"writing two months of {plan.releases:,} releases")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sampled = plan.releases if excerpt is None else min(plan.releases, _SAMPLED)
    step("sample", folder=folder, releases=sampled, seed=plan.seed, month=FIRST_MONTH)
    if excerpt is not None:
        for month in (FIRST_MONTH, NEXT_MONTH):
            path = dump_file(folder, month)
            excerpts.repeat(excerpt, path, plan.releases, changed=month is NEXT_MONTH)
    note.write_text(json.dumps(about))
    return folder


def measure(plan: Plan, log: Log) -> Outcome:
    """Run every step as often as planned, in turn, so that noise affects all of them alike.

    :raises StepFailed: when a step fails, or ends with other rows than it should.
    """
    folder = dumps(plan, log)
    outcome = Outcome(plan)
    for name, month in (("first", FIRST_MONTH), ("next", NEXT_MONTH)):
        outcome.dump[f"{name}_packed_bytes"] = dump_file(folder, month).stat().st_size
    if plan.peer:
        log(f"installing {peer.NAME} {peer.VERSION}")
        program = peer.install(plan.data / "peer")
        outcome.peer_options = peer.variants(processors())
    with started(plan.parent) as (server, files):
        each = _DISK_BYTES + (_FLOOR_BYTES if plan.floor else 0)
        need, free = plan.releases * each, shutil.disk_usage(files).free
        if free < need:
            raise StepFailed(
                f"{plan.releases:,} releases need {need / 1e9:.0f} GB in {files}, which has"
                f" {free / 1e9:.0f} GB free; set TMPDIR to another folder."
            )
        outcome.server = server.about()
        runs = _Runs(server, folder, files, outcome, log)
        runs.make_base()
        for number in range(plan.runs):
            runs.first(number)
            if number == 0:
                runs.make_loaded()
            if plan.floor:
                runs.floor(number)
            runs.update(number)
            for variant, options in outcome.peer_options.items():
                runs.peer(number, program, variant, options)
    return outcome


def dump_file(folder: Path, month: Month) -> Path:
    """The file of releases of a month."""
    return folder / f"discogs_{month.first_day:%Y%m%d}_{Entity.RELEASES}.xml.gz"


def processors() -> int:
    """Number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


class _Runs:
    """The steps, each with its own database."""

    def __init__(
        self, server: Server, folder: Path, files: Path, outcome: Outcome, log: Log
    ) -> None:
        self.server = server
        self.folder = folder
        self.files = files
        self.outcome = outcome
        self.log = log
        self.schema = Settings.from_environment().schema
        self.tables = [table.name for table in TABLES[Entity.RELEASES].all]

    def make_base(self) -> None:
        """The database before a first load of releases: the month's other entities are loaded."""
        self.log("loading labels, artists and masters")
        dsn = self.server.create("base")
        step("migrate", dsn=dsn)
        step("load", dsn=dsn, folder=self.folder, month=FIRST_MONTH, entities=_SMALL)

    def make_loaded(self) -> None:
        """The database before an update: the previous month, and the new month's other entities."""
        self.server.rename("first", "loaded")
        dsn = self.server.database("loaded")
        content = self.server.content("loaded", self.schema, self.tables)
        self.outcome.content["first"] = content
        if self.outcome.plan.floor:
            self.log("writing the rows for the floor")
            step("floor_files", dsn=dsn, folder=self.files / "rows")
        self.log("loading labels, artists and masters of the next month")
        step("load", dsn=dsn, folder=self.folder, month=NEXT_MONTH, entities=_SMALL)

    def first(self, number: int) -> None:
        dsn = self.server.create("first", "base")
        with self._measured("first", number) as run:
            run["taken"], answer = step(
                "load", dsn=dsn, folder=self.folder, month=FIRST_MONTH, entities=_RELEASES
            )
            report = run["report"] = answer["reports"]["releases"]
            run["startup_seconds"] = answer["startup_seconds"]
            run["releases"], run["rows"] = report["read"], report["rows"]
        if not report["first_load"]:
            raise StepFailed("The first load was done as an update.")
        self.outcome.dump["first_unpacked_bytes"] = report["bytes"]
        if number:
            self.server.drop("first")

    def floor(self, number: int) -> None:
        dsn = self.server.create("floor", "base")
        first = self.outcome.runs["first"][0]
        with self._measured("floor", number) as run:
            run["taken"], answer = step(
                "floor", dsn=dsn, folder=self.files / "rows", month=FIRST_MONTH
            )
            run["startup_seconds"] = answer["startup_seconds"]
            run["releases"], run["rows"] = first["releases"], first["rows"]
        if number == 0:
            content = self.server.content("floor", self.schema, self.tables)
            whole = self.outcome.content["first"]
            for what in ("rows_of", "primary_keys", "foreign_keys", "indexes"):
                if content[what] != whole[what]:
                    raise StepFailed(f"The floor ended with other {what} than the first load.")
            self.outcome.content["floor"] = content
        self.server.drop("floor")

    def update(self, number: int) -> None:
        dsn = self.server.create("update", "loaded")
        with self._measured("update", number) as run:
            run["taken"], answer = step(
                "load", dsn=dsn, folder=self.folder, month=NEXT_MONTH, entities=_RELEASES
            )
            report = run["report"] = answer["reports"]["releases"]
            run["startup_seconds"] = answer["startup_seconds"]
            run["releases"], run["rows"] = report["read"], report["rows"]
        self.server.drop("update")

    def peer(self, number: int, program: Path, variant: str, options: list[str]) -> None:
        dsn = self.server.create("peer")
        name = f"peer: {variant}"
        dump = dump_file(self.folder, FIRST_MONTH)
        with self._measured(name, number) as run:
            run["taken"] = peer.load(program, dsn, dump, self.files / "peer", options)
        content = self.server.content("peer", peer.SCHEMA, None)
        run["releases"], run["rows"] = content["rows_of"].get("releases", 0), content["rows"]
        if run["releases"] != self.outcome.runs["first"][0]["releases"]:
            raise StepFailed(f"{peer.NAME} ended with {run['releases']:,} releases.")
        self.outcome.content["peer"] = content
        self.server.drop("peer")

    @contextmanager
    def _measured(self, name: str, number: int) -> Any:
        """Measure a step, with the processor time of the server and of other processes."""
        self.log(f"{name}, run {number + 1} of {self.outcome.plan.runs}")
        self.server.settle()
        server, busy, own = self.server.cpu_seconds(), _busy_seconds(), _own_seconds()
        run: dict[str, Any] = {}
        yield run
        taken: Measured = run.pop("taken")
        self.server.idle()
        run["seconds"] = taken.seconds
        run["client_cpu_seconds"] = taken.cpu_seconds
        run["server_cpu_seconds"] = self.server.cpu_seconds() - server
        run["peak_bytes"] = taken.peak_bytes
        counted = taken.cpu_seconds + run["server_cpu_seconds"] + _own_seconds() - own
        run["others_cpu_seconds"] = max(0.0, _busy_seconds() - busy - counted)
        self.outcome.runs.setdefault(name, []).append(run)


def _busy_seconds() -> float:
    """Processor time of all processes of the machine, including stolen time."""
    times = psutil.cpu_times()
    names = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(times, name, 0.0) for name in names))


def _own_seconds() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)
