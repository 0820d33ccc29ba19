"""The documentation as a site: ``make site``. The pages are the Markdown files of the repository.
Every link and anchor is checked.

The site loads nothing from other servers. Its search runs in the browser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

project = "airflow-discogs"
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/*.md", "include/**/README.md"]
exclude_patterns = [".*", "site"]

myst_heading_anchors = 4
highlight_language = "none"  # of code blocks without a language
suppress_warnings = [
    "myst.header",  # a page may start below the first level
    "misc.highlighting_failure",  # code blocks with abbreviated output
]

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

#: The pages of the sidebar, by caption.
CONTENTS = {
    "Operation": """
        docs/operating docs/troubleshooting docs/sizing docs/speed docs/scaling docs/managed
        docs/alerts docs/page include/grafana/README""",
    "Data": """
        docs/tables docs/queries docs/search docs/parquet docs/filters docs/records
        docs/data docs/names""",
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
    """Add the list of pages to the README, where GitHub would show Sphinx's syntax."""
    if page == root_doc:
        for caption, pages in CONTENTS.items():
            source[0] += _TREE.format(caption=caption, pages="\n".join(pages.split()))


def _with_index(app: Sphinx, error: Exception | None) -> None:
    """Write the page that web servers look for."""
    if error is None:
        text = '<!doctype html><meta http-equiv="refresh" content="0; url=README.html">\n'
        (Path(app.outdir) / "index.html").write_text(text, encoding="utf-8")
