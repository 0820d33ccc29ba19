"""The documentation matches the code, and its links are valid.

docs/troubleshooting.md has every message in the words that it is printed with, as code at the
beginning of a heading or of a list's item, with ``…`` for each of its variable parts.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.generate import stale

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "include/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)
_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"(?:https?:)?//[^\"]*")

PACKAGE = ROOT / "plugins" / "discogs"
#: Packages that only write or serve test data.
_LEFT_OUT = ("sample",)
_QUOTED = re.compile(r"^(?:#+|-) `([^`]+)`", re.MULTILINE)
_VARIABLE = re.compile(r"%(?:\.\d+)?[a-z]|\{\{.*?\}\}")
_RAISED = ("AirflowSkipException",)
_LOGGED = ("warning", "error")


def test_the_generated_parts_of_the_documentation_are_up_to_date() -> None:
    assert stale() == [], "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_CODE.sub("", (ROOT / page).read_text())):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_reached_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert [str(page) for page in PAGES if page.parts[0] == "docs" and str(page) not in text] == []


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module, reason="pip install -r requirements-test.txt")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    done = subprocess.run(
        [*command, "-c", "docs", ".", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    pages = [path.read_text() for path in tmp_path.rglob("*.html")]
    assert len(pages) > len([page for page in PAGES if page.parts[0] == "docs"])
    assert [found for page in pages for found in _LOADED.findall(page)] == []


def test_every_error_and_warning_has_an_entry() -> None:
    quoted = [_pattern(message) for message in _quoted()]
    lacking = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path, line, text in _messages()
        if not any(pattern.search(text) for pattern in quoted)
    ]
    assert lacking == [], "write an entry, with … for what varies"


def test_every_quoted_message_is_one_of_the_package() -> None:
    texts = {text for tree in _trees().values() for node in ast.walk(tree) if (text := _text(node))}
    gone = [m for m in _quoted() if not any(_pattern(m).search(text) for text in texts)]
    assert gone == [], "correct or delete these entries"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = _HEADING.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings}


def _quoted() -> list[str]:
    found: list[str] = _QUOTED.findall((ROOT / "docs" / "troubleshooting.md").read_text())
    return found


def _pattern(message: str) -> re.Pattern[str]:
    """A pattern for texts with the fixed parts of the message, in order."""
    return re.compile(".*".join(map(re.escape, message.strip("… ").split("…"))))


def _trees() -> dict[Path, ast.Module]:
    return {
        path: ast.parse(path.read_text())
        for path in sorted(PACKAGE.rglob("*.py"))
        if not set(_LEFT_OUT) & set(path.parts)
    }


def _messages() -> Iterator[tuple[Path, int, str]]:
    """The texts of errors that are raised, and of warnings and errors that are logged."""
    trees = _trees()
    errors = _error_classes(trees)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name in errors:
                calls = [call for call in ast.walk(node) if _is_call(call, "__init__")]
                texts = [argument for call in calls for argument in call.args]
                texts += [
                    item.value
                    for item in node.body
                    if isinstance(item, ast.Assign) and _target(item) == "verdict"
                ]
            elif isinstance(node, ast.Call) and _called(node) in {*errors, *_RAISED}:
                texts = node.args
            elif _is_call(node, *_LOGGED):
                texts = node.args[:1]
            else:
                continue
            for text in filter(None, map(_text, texts)):
                if len(re.findall(r"\w+", text)) >= 3:
                    yield path, node.lineno, text


def _error_classes(trees: dict[Path, ast.Module]) -> set[str]:
    """The names of the classes below ``DiscogsError``."""
    classes = [
        node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    found = {"DiscogsError"}
    while (
        more := {
            node.name for node in classes if found & {ast.unparse(base) for base in node.bases}
        }
        - found
    ):
        found |= more
    return found


def _is_call(node: ast.AST, *names: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
    )


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def _target(node: ast.Assign) -> str:
    return ast.unparse(node.targets[0])


def _text(node: ast.AST) -> str:
    """A literal text with ``…`` for what varies; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _VARIABLE.sub("…", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    return ""
