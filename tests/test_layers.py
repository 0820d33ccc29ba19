"""The imports between the parts of the package run one way, and only airflow/ imports Airflow."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "plugins" / "discogs"
LONGEST = 400

# What each part, a folder or a file of the package, may import besides itself.
BASE = {"errors", "progress", "schema", "settings"}
CORE = {"dumps", "records", "database", "tracking"}
FACE = {"airflow", "airflow_plugin"}
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(BASE, BASE),
    **dict.fromkeys(CORE, BASE),
    "tracking": BASE | {"database"},
    "overview": BASE | {"database", "tracking"},
    "sample": BASE,
    "load": BASE | CORE,
    "cli": BASE | CORE | {"load", "sample"},
    "__main__": {"cli"},
    **dict.fromkeys(FACE, BASE | CORE | FACE | {"load", "overview"}),
}  # fmt: skip

FILES = sorted(PACKAGE.rglob("*.py"))


def part(module: str) -> str:
    """The part of a module such as ``discogs.tracking.model``; empty for the root."""
    return [*module.split("."), ""][1]


def name_of(path: Path) -> str:
    names = ["discogs", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


MODULES = {name_of(path): path for path in FILES}


def imports(path: Path, *, at_import: bool = False) -> set[str]:
    """The modules that a file imports, or only those that it imports at the top level."""
    found = set()
    tree = ast.parse(path.read_text())
    skipped = {
        inner
        for node in ast.walk(tree)
        if at_import and (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or typing(node))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    return found


def typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_a_part_imports_only_what_is_below_it() -> None:
    wrong = []
    for module, path in MODULES.items():
        here = part(module)
        allowed = MAY_IMPORT.get(here, set()) if here else set()
        wrong += [
            f"{module} imports {name}"
            for name in imports(path)
            if name.startswith("discogs.") and part(name) not in {here, *allowed}
        ]

    assert wrong == []
    assert {part(module) for module in MODULES} - {""} == MAY_IMPORT.keys()


def test_only_the_airflow_parts_import_airflow() -> None:
    below = [module for module in MODULES if part(module) not in FACE]

    assert [m for m in below if "airflow" in {n.split(".")[0] for n in imports(MODULES[m])}] == []


def test_the_core_runs_without_airflow() -> None:
    core = [name for name in MODULES if part(name) not in FACE and not name.endswith("__main__")]
    program = (
        "import importlib, sys\n"
        f"for name in {core!r}: importlib.import_module(name)\n"
        "sys.exit('airflow was imported' if 'airflow' in sys.modules else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        name: {found for found in imports(path, at_import=True) if found in MODULES} - {name}
        for name, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' imports '.join(reversed(error.args[1]))}")


def test_a_file_is_short_enough_to_be_read() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}

    assert {module: length for module, length in lengths.items() if length > LONGEST} == {}
