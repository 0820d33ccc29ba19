"""The arrows between the package's parts run one way, and the core knows no Airflow."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "plugins" / "discogs"
LONGEST = 400
LISTS = {"discogs.errors"}  # read by looking one thing up

# What each part, a folder or a file of the package, may import besides itself.
BASE = {"errors", "progress", "schema", "settings"}
CORE = {"dumps", "records", "database", "tracking"}
FACE = {"airflow", "airflow_plugin"}
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(BASE, BASE),
    **dict.fromkeys(CORE, BASE),
    "tracking": BASE | {"database"},
    "sample": BASE,
    "load": BASE | CORE,
    "cli": BASE | CORE | {"load", "sample"},
    "__main__": {"cli"},
    **dict.fromkeys(FACE, BASE | CORE | FACE | {"load"}),
}  # fmt: skip

FILES = sorted(PACKAGE.rglob("*.py"))


def part(module: str) -> str:
    """The part that a module such as ``discogs.tracking.model`` lies in; the root has none."""
    return [*module.split("."), ""][1]


def name_of(path: Path) -> str:
    names = ["discogs", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


MODULES = {name_of(path): path for path in FILES}


def imports(path: Path, *, at_import: bool = False) -> set[str]:
    """The modules that a file imports, or only those that it imports when it is imported."""
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


@pytest.mark.parametrize("module", MODULES)
def test_a_part_imports_only_what_lies_below_it(module: str) -> None:
    if module == "discogs":
        assert not imports(MODULES[module]) - {"__future__"}
        return
    here = part(module)
    assert here in MAY_IMPORT, f"{here} is new: say in MAY_IMPORT what it may import"
    reached = {
        part(name)
        for name in imports(MODULES[module])
        if part(name) != here and name.startswith("discogs.")
    }
    assert reached <= MAY_IMPORT[here], f"{module} imports {reached - MAY_IMPORT[here]}"


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) not in FACE])
def test_nothing_below_its_face_imports_airflow(module: str) -> None:
    assert not [name for name in imports(MODULES[module]) if name.split(".")[0] == "airflow"]


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


@pytest.mark.parametrize("module", sorted(MODULES.keys() - LISTS))
def test_a_file_is_short_enough_to_be_read(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= LONGEST
