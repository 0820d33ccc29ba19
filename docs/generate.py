"""Write the generated parts of the documentation: ``python -m docs.generate``.

A part is between ``<!-- name -->`` and ``<!-- /name -->`` of a Markdown file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from itertools import groupby
from pathlib import Path

from benchmarks import shards, speed
from discogs.airflow.metrics import METRICS
from discogs.schema import dictionary
from discogs.schema.dictionary import DescribedTable
from discogs.settings import Settings, variable
from docs import dbt_sources, diagrams, sizing

ROOT = Path(__file__).resolve().parents[1]


def settings() -> str:
    """The table of settings."""
    rows = ["| variable | default | effect |", "|---|---|---|"]
    for field in fields(Settings):
        shown = str(field.metadata["shown"]).replace("`", "")
        default = f"`{shown}`" if shown and " " not in shown else shown
        rows.append(f"| `{variable(field.name)}` | {default} | {field.metadata['about']} |")
    return "\n".join(rows)


def metrics() -> str:
    """The table of metrics."""
    rows = ["| name | type | value |", "|---|---|---|"]
    for group, kinds in METRICS.items():
        for metric in kinds:
            first, *others = metric.names
            names = ", ".join([f"`{group}.{first}`", *(f"`.{name}`" for name in others)])
            rows.append(f"| {names} | {metric.kind} | {metric.about} |")
    return "\n".join(rows)


def tables() -> str:
    """A section for each entity, with one table per database table."""
    parts = []
    for entity, group in groupby(dictionary.tables(), key=lambda table: table.entity):
        parts.append(f"## {str(entity).capitalize() if entity else 'Names'}")
        parts += [_table(table) for table in group]
    return "\n\n".join(parts)


def _table(table: DescribedTable) -> str:
    about = table.about[0].upper() + table.about[1:]
    lines = [f"### `{table.name}`", "", f"{about}."]
    if table.path is not None:
        lines[-1] += f" One row per element `{table.path}`."
    lines += ["", "| column | type | XML path | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        name = f"**`{column.name}`**" if column.name in table.key else f"`{column.name}`"
        place = column.path or ""
        if table.path is not None:
            place = place.removeprefix(f"{table.path}/") if place != table.path else "text()"
        meaning = column.about.replace("|", "\\|")
        if column.references:
            meaning += f" → `{column.references}.id`"
        shown = f"`{place}`" if place else ""
        lines.append(f"| {name} | {column.type} | {shown} | {meaning} |")
    return "\n".join(lines)


def queries() -> str:
    """The example queries, with the first comment of each."""
    lines = []
    for path in sorted((ROOT / "include" / "sql" / "examples").glob("*.sql")):
        comment = []
        for line in path.read_text().splitlines():
            if not line.startswith("-- ") or line.startswith("-- psql"):
                break
            comment.append(line[3:])
        lines.append(f"- [`{path.name}`](../include/sql/examples/{path.name}): {' '.join(comment)}")
    return "\n".join(lines)


#: File and name of each part, with the function that generates it.
PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "settings"): settings,
    ("docs/alerts.md", "metrics"): metrics,
    ("README.md", "needs"): sizing.summary,
    ("README.md", "speed"): speed.summary,
    ("docs/queries.md", "queries"): queries,
    ("docs/scaling.md", "shards"): shards.load_section,
    ("docs/parquet.md", "export"): shards.export_section,
    ("docs/sizing.md", "sizing-plan"): sizing.plan,
    ("docs/sizing.md", "sizing-disk"): sizing.disk,
    ("docs/sizing.md", "sizing-memory"): sizing.memory,
    ("docs/sizing.md", "sizing-hours"): sizing.hours,
    ("docs/speed.md", "speed"): speed.section,
    ("docs/tables.md", "tables"): tables,
}


#: Files that are generated completely.
WHOLE: dict[str, Callable[[], str]] = {
    "examples/dbt/discogs_sources.yml": dbt_sources.sources,
    "docs/images/flow.svg": diagrams.flow,
    "docs/images/tables.svg": diagrams.tables,
}


def generated(name: str) -> str:
    """The text of a file with up-to-date parts."""
    if name in WHOLE:
        return WHOLE[name]()
    text = (ROOT / name).read_text()
    for (file, part), compute in PARTS.items():
        if file != name:
            continue
        begin, end = f"<!-- {part} -->\n", f"\n<!-- /{part} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{name} has no part {part}: write {begin.strip()} … {end.strip()}")
        text = before + begin + compute() + end + after
    return text


def stale() -> list[str]:
    """The files whose parts are out of date."""
    names = dict.fromkeys([*(file for file, _ in PARTS), *WHOLE])
    return [name for name in names if _text(name) != generated(name)]


def _text(name: str) -> str | None:
    path = ROOT / name
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    for name in stale():
        (ROOT / name).write_text(generated(name))
        print(f"written: {name}")
