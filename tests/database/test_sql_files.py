from __future__ import annotations

import re
from pathlib import Path

import pytest

from discogs.database.sql_files import folder

FILES = sorted(folder().rglob("*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(folder())))
def test_a_template_is_marked_and_nothing_else_is_one(path: Path) -> None:
    text = path.read_text()
    code = re.sub(r"--.*|'[^']*'", "", text)  # neither comments nor literals
    is_template = path.name.endswith(".template.sql")
    assert bool(re.search(r"\{\w+\}", code)) == is_template
    assert text.startswith("-- Template: ") == is_template
    if is_template:
        assert "does not run as it is" in text.partition("\n")[0]
