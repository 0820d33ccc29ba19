"""docs/troubleshooting.md has every message of the package, in the words that it is printed with.

A message stands in the page as code at the beginning of a heading or of a list's item, with ``…``
for each of its variable parts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "plugins" / "discogs"
#: What only writes or serves test data.
_LEFT_OUT = ("sample",)
_QUOTED = re.compile(r"^(?:#+|-) `([^`]+)`", re.MULTILINE)
_VARIABLE = re.compile(r"%(?:\.\d+)?[a-z]|\{\{.*?\}\}")
_RAISED = ("AirflowSkipException",)
_LOGGED = ("warning", "error")


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


def _quoted() -> list[str]:
    found: list[str] = _QUOTED.findall((ROOT / "docs" / "troubleshooting.md").read_text())
    return found


def _pattern(message: str) -> re.Pattern[str]:
    """Matches a text that has the message's fixed words, in their order."""
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
