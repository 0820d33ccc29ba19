"""Every command of the documentation is run, or at least read by the program that it is for.

A command is a line of a block of shell, and inline code that begins with a program, a command of
``python -m discogs``, or an option. One that no rule covers fails, so that none escapes.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import psycopg
import pytest

from demo import embedded
from demo.run import FIRST, MONTHS, RELEASES, SEED
from discogs.cli import COMMANDS
from discogs.cli.main import build_parser, main
from discogs.sample.generator import write_months
from discogs.sample.mirror import Mirror
from discogs.schema.entities import Month
from discogs.settings import _OTHERS, Settings, variable
from tests.conftest import PROJECT, SCHEMA, new_database
from tests.load.conftest import load

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGES = sorted(
    str(path.relative_to(PROJECT))
    for pattern in ("*.md", "docs/*.md", "include/**/*.md", ".github/*.md")
    for path in PROJECT.glob(pattern)
    if path.name != "CHANGELOG.md"  # has what there was
)
TEXTS = {page: (PROJECT / page).read_text() for page in PAGES}
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_ASSIGNED = re.compile(r"([A-Z][A-Z_]*)=(.*)", re.DOTALL)
PROGRAMS = {"python", "airflow", "make", "psql", "pip", "docker", "curl", "export"}
#: Where the blocks of SQL are run: here, or by the test that names the page.
SQL = {
    "README.md": "",
    "docs/records.md": "",
    "docs/search.md": "tests/database/test_search.py",
    "docs/parquet.md": "tests/load/test_export.py",
    "docs/operating.md": "tests/database/test_roles.py",
    "CONTRIBUTING.md": "tests/test_contributing.py",
}
#: Blocks of other languages, by what reads them.
PYTHON = {
    "README.md": "tests/test_package.py",
    "CONTRIBUTING.md": "tests/test_contributing.py",
    "docs/alerts.md": "",
    "docs/operating.md": "",
    "docs/parquet.md": "",  # Spark's, compiled here
}
#: Options of discogskit, Docker Compose and pip.
FOREIGN = {"--parse-workers", "--pg-write-workers", "--chunk-mb", "--profile", "--constraint"}


@dataclass(frozen=True)
class Command:
    """One command as it is printed; ``inline`` ones may leave arguments out."""

    page: str
    text: str
    inline: bool

    @property
    def parts(self) -> tuple[dict[str, str], list[str]]:
        """The variables before the program, and the words from it on."""
        words = shlex.split(self.text.removeprefix("export "), comments=True)
        variables = {}
        while words and (match := _ASSIGNED.fullmatch(words[0])):
            variables[match[1]] = match[2]
            del words[0]
        return variables, words

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page, text in TEXTS.items():
        for indent, named, body in _BLOCK.findall(text):
            if named == language:
                lines = body.splitlines(keepends=True)
                yield page, "".join(line.removeprefix(indent) for line in lines)


def inline() -> Iterator[tuple[str, str]]:
    for page, text in TEXTS.items():
        for code in _INLINE.findall(_BLOCK.sub("", text)):
            yield page, code


def commands() -> Iterator[Command]:
    """In the order in which a page has them, blocks before inline code."""
    for page, block in blocks("sh"):
        for line in block.splitlines():
            if line.strip() and not line.startswith("#"):
                yield Command(page, line, inline=False)
    for page, code in inline():
        first = code.split(maxsplit=1)[0]
        if first in PROGRAMS | COMMANDS.keys() or re.match(r"--[a-z]|[A-Z][A-Z_]*=\S", code):
            yield Command(page, code, inline=True)


ALL = list(dict.fromkeys(commands()))


def discogs_words(command: Command) -> list[str] | None:
    """The arguments for ``python -m discogs``; None where the command is another."""
    _, words = command.parts
    if words[:3] == ["python", "-m", "discogs"]:
        return words[3:]
    return words if words and words[0] in COMMANDS else None


def error_of(parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """What a parser says against some arguments; empty if nothing."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args(words)
        except SystemExit as end:
            return said.getvalue() or "refused" if end.code else ""
    return ""


def choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Of a parser and of all its subcommands."""
    own = set(parser._option_string_actions)
    return own.union(*(options(each) for each in choices(parser).values()))


def is_mentioned(parser: argparse.ArgumentParser, words: Sequence[str]) -> bool:
    """Whether words name a subcommand, with nothing but options of it."""
    rest = list(words)
    while rest and rest[0] in choices(parser):
        parser = choices(parser)[rest.pop(0)]
    given = {word for word in rest if word.startswith("--")}
    return given <= options(parser) and (not rest or rest[0].startswith("--"))


@cache
def airflow_parser() -> argparse.ArgumentParser:
    from airflow.cli.cli_parser import get_parser

    return get_parser()


def refused(command: Command) -> str:
    """Why a command cannot be run as it is printed; empty if it can."""
    variables, words = command.parts
    for name, value in variables.items():
        if name.startswith("DISCOGS_") and name not in _OTHERS and "…" not in value:
            Settings.from_environment({name: value})
    named = len(words) == 1 and words[0].rpartition("/")[2] in PROGRAMS - {"make"}
    if not words or (named and command.inline):
        return ""
    program, rest = words[0], words[1:]
    arguments = discogs_words(command)
    if arguments is not None or program == "airflow":
        parser = airflow_parser() if arguments is None else build_parser()
        mentioned = command.inline and is_mentioned(parser, arguments or rest)
        return "" if mentioned else error_of(parser, arguments or rest)
    if program in {"python", ".venv/bin/python"} and rest[:1] == ["-m"]:
        return refused_by_benchmark(rest[1], rest[2:])
    if program == "make":
        return refused_by_make(rest)
    if program == "pip" and rest[0] in {"install", "wheel"}:
        return refused_by_pip(rest[1:])
    if program == "docker" and rest[:2] == ["compose", "up"]:
        return "" if set(rest[2:]) <= {"--build", "--detach"} else "another option"
    if program == "psql":
        return ""  # run below
    if program.startswith("--"):
        known = options(build_parser()) | options(airflow_parser())
        given = {word for word in words if word.startswith("--")}
        return "" if given <= known | FOREIGN else "no program has it"
    return "no rule of this test covers it"


def refused_by_benchmark(module: str, words: Sequence[str]) -> str:
    if not re.fullmatch(r"benchmarks(\.\w+)?", module):
        return "no rule of this test covers it"
    name = f"{module}.__main__" if module == "benchmarks" else module
    shown, before = io.StringIO(), sys.argv
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        sys.argv = [module, "--help"]
        try:
            importlib.import_module(name).main()
        finally:
            sys.argv = before
    return " ".join(w for w in words if w.startswith("--") and w not in shown.getvalue())


def refused_by_make(words: Sequence[str]) -> str:
    command = ["make", "--dry-run", "--no-print-directory", *words]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    measured = re.findall(r"-m (benchmarks\S*) *(.*)", done.stdout)
    return done.stderr or "".join(refused_by_benchmark(m, line.split()) for m, line in measured)


def refused_by_pip(words: Sequence[str]) -> str:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    for word in words:
        match = re.fullmatch(rf"(?:\.|{project['name']})(?:\[(\w+)\])?|--no-deps", word)
        if match is None or (match[1] and match[1] not in project["optional-dependencies"]):
            return word
    return ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_command_is_one_that_its_program_takes() -> None:
    assert len(ALL) > 60
    assert {str(command): why for command in ALL if (why := refused(command))} == {}


def test_a_wrong_command_is_refused() -> None:
    for text in (
        "python -m discogs fetch dumps --mnth 2026-07",
        "python -m discogs update",
        "load --nothing",
        "airflow dags triger discogs_monthly",
        "make everything",
        "make bench && rm x",
        "pip install 'airflow-discogs[s4]'",
        "curl https://example.com",
        "--nothing",
    ):
        assert refused(Command("", text, inline=True)), text
    with pytest.raises(ValueError, match="expected"):
        refused(Command("", "DISCOGS_SHARDS=none", inline=True))


def test_every_variable_that_a_page_names_is_one() -> None:
    known = {variable(item.name) for item in fields(Settings)} | _OTHERS
    for page, text in TEXTS.items():
        assert set(re.findall(r"\bDISCOGS_[A-Z_]*[A-Z]\b", text)) <= known, page


def test_blocks_of_other_languages_are_read_and_no_block_is_of_an_unknown_one() -> None:
    for page, block in blocks("json"):
        assert json.loads(block), page
    for page, code in inline():
        if code.startswith('{"'):
            assert json.loads(re.sub(r"\{…\}|(?<!\")…(?!\")", "{}", code)), (page, code)
    for page, block in blocks("ini"):
        configparser.ConfigParser().read_string(block, page)
    languages = {named for text in TEXTS.values() for _, named, _ in _BLOCK.findall(text)}
    assert languages <= {"", "sh", "sql", "python", "json", "ini", "yaml"}
    for language, where in (("sql", SQL), ("python", PYTHON)):
        assert {page for page, _ in blocks(language)} == where.keys()
        for page, test in where.items():
            assert not test or Path(page).name in (PROJECT / test).read_text()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_calls_of_the_dag_and_of_the_assets_are_taken() -> None:
    from airflow.sdk import PartitionedAssetTimetable

    from discogs.airflow.assets import entity_asset
    from discogs.airflow.dag import discogs_dag

    names = {
        "discogs_dag": discogs_dag,
        "entity_asset": entity_asset,
        "PartitionedAssetTimetable": PartitionedAssetTimetable,
    }
    calls = [code for _, code in inline() if re.match(r"(discogs_dag|entity_asset)\(", code)]
    calls += [block for page, block in blocks("python") if not PYTHON[page]]
    assert len(calls) > 5
    for call in calls:
        code = compile(call.replace("…", "None"), call, "exec")
        if "spark" not in call:
            exec(code, dict(names))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_months(folder, Month(2026, 6), months=2, releases=60)
    return folder


def psql(dsn: str, *arguments: str | Path, **variables: str) -> str:
    """What psql prints, with `|` between the columns."""
    command = [embedded.binaries() / "psql", dsn, "-XqtA", "-v", "ON_ERROR_STOP=1", *arguments]
    environment, folder = {**os.environ, **variables}, PROJECT / "include" / "sql" / "examples"
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("connect")
def test_what_is_printed_runs_in_the_order_of_the_pages(
    database: str, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a database and a mirror of the test's own; `mirror` has tests of its own."""
    monkeypatch.setenv("DISCOGS_DSN", database)
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    reader, user = f"{name}_reader", f"{name}_alice"
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {user}".encode())
    ran = []
    try:
        with Mirror(sample, "data.discogs.com") as mirror:
            once: dict[tuple[str, ...], Command] = {}
            for each in ALL:
                once.setdefault(tuple(discogs_words(each) or [each.text]), each)
            for number, command in enumerate(once.values()):
                if command.parts[1][:1] == ["psql"] and len(command.parts[1]) > 1:
                    text = command.text.replace("discogs_reader", reader).replace("alice", user)
                    words = shlex.split(text.replace("include/sql/examples/", ""))
                    psql(database, *(word for word in words[1:] if "://" not in word))
                    continue
                arguments = discogs_words(command)
                if arguments is None or arguments[0] in {"mirror", "--help"}:
                    continue
                if error_of(build_parser(), arguments):  # it is only mentioned
                    continue
                here = {"FOLDER": str(sample), "dumps": str(sample), "DIR": f"{tmp_path}/{number}"}
                if arguments[0] == "fetch":
                    here["dumps"] = f"{tmp_path}/{number}"
                if arguments[0] in {"fetch", "plan"}:
                    arguments += ["--from", mirror.url]
                here |= {"discogs_reader": reader, "ROLE": reader, "/mnt/discogs": str(tmp_path)}
                words = [here.get(word, word) for word in arguments]
                for place, word in enumerate(words):
                    if word == "--dsn":
                        words[place + 1] = database
                assert main(words) == 0, command
                ran.append(words[0])
    finally:
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}, {user}".encode())
    assert set(ran) == COMMANDS.keys() - {"mirror", "sample"}


@pytest.fixture(scope="module")
def demonstrated(
    server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with the two months of `make demo`."""
    folder = tmp_path_factory.mktemp("demo")
    write_months(folder, FIRST, months=MONTHS, releases=RELEASES, seed=SEED)
    with new_database(server, template=migrated_template) as dsn:
        for number in range(MONTHS):
            load(dsn, folder, FIRST.plus(number))
        yield dsn


@pytest.mark.slow
def test_queries_give_what_is_printed_below_them(demonstrated: str) -> None:
    path = {"PGOPTIONS": f"-c search_path={SCHEMA}"}
    here = [(page, block) for page, block in blocks("sql") if not SQL[page]]
    for _, block in here:
        for query, printed in re.findall(r"(.*?;)\n((?:--[^\n]*\n)*)", block, re.DOTALL):
            found = psql(demonstrated, "-c", query, **path)
            if printed:
                # Without what separates rows and columns, and aligns them.
                texts = found, printed.replace("-- ", "")
                assert len({re.sub(r"[\s,]", "", text) for text in texts}) == 1, (query, found)


@pytest.mark.slow
def test_each_example_query_finds_something_in_the_demo(demonstrated: str) -> None:
    folder = PROJECT / "include" / "sql" / "examples"
    for example in sorted(folder.glob("*.sql")):
        printed = re.search(r"^-- psql (.*)$", example.read_text(), re.MULTILINE)
        words = shlex.split(printed[1]) if printed else ["-f", example.name]
        found = psql(demonstrated, *words, PGOPTIONS=f"-c search_path={SCHEMA}")
        # The sample changes no country, and no profile in it names an id.
        assert found or example.stem in {"country_changes", "profile_links"}, example.name
