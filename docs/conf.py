"""The documentation as a site: ``make site``. The pages are the Markdown files of the repository,
which stay readable without it; every link and anchor in them is checked.

Nothing is loaded from elsewhere: the theme has no fonts of its own, and search runs in the browser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

project = "airflow-discogs"
copyright = "Apache-2.0; the data is Discogs', under CC0"
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/*.md", "include/**/README.md"]
exclude_patterns = [".*", "site"]

myst_heading_anchors = 4
suppress_warnings = [
    "myst.header",  # a page may begin below the first level
    "misc.highlighting_failure",  # shortened output in a block of code
]

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False

#: The pages beside the README, by the captions of the sidebar.
CONTENTS = {
    "Operation": """
        docs/operating docs/troubleshooting docs/sizing docs/speed docs/scaling docs/managed
        docs/alerts docs/page include/grafana/README""",
    "Data": """
        docs/tables docs/queries docs/search docs/filters docs/records docs/data docs/names""",
    "Project": """
        docs/compatibility docs/architecture include/sql/README include/sql/checks/README
        CONTRIBUTING CHANGELOG SECURITY""",
}
_TREE = "\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", _with_contents)
    app.connect("build-finished", _with_index)
    return {"parallel_read_safe": True}


def _with_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """The README has no list of pages in Sphinx's form; it would be shown elsewhere."""
    if page == root_doc:
        for caption, pages in CONTENTS.items():
            source[0] += _TREE.format(caption=caption, pages="\n".join(pages.split()))


def _with_index(app: Sphinx, error: Exception | None) -> None:
    """The first page by the name that web servers look for."""
    if error is None:
        text = '<!doctype html><meta http-equiv="refresh" content="0; url=README.html">\n'
        (Path(app.outdir) / "index.html").write_text(text, encoding="utf-8")
