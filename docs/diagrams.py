"""The generated diagrams: the tasks of the DAG, and the tables with their references. The SVG files
have no scripts or fonts, and support dark mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from discogs.airflow.dag import discogs_dag
from discogs.schema import dictionary
from discogs.schema.dictionary import DescribedTable
from discogs.schema.entities import Entity

_STYLE = """
  .box { fill: #f6f8fa; stroke: #d0d7de; }
  .edge { stroke: #59636e; stroke-width: 1.5; fill: none; }
  .head { fill: #59636e; }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
         fill: #1f2328; }
  .title { font-weight: 600; }
  .to { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    .box { fill: #151b23; stroke: #3d444d; }
    .edge { stroke: #9198a1; }
    .head { fill: #9198a1; }
    text { fill: #f0f6fc; }
    .to { fill: #4493f8; }
  }
"""
_LINE, _PAD = 20, 14


def flow() -> str:
    """The DAG: a box for each group of tasks, in the order in which they run."""
    groups: dict[str, list[str]] = {}
    for task in discogs_dag().topological_sort():  # type: ignore[no-untyped-call]
        group = task.task_group.group_id if task.task_group is not None else None
        groups.setdefault(str(group), []).append(task.task_id.removeprefix(f"{group}."))
    width, gap = 140, 32
    height = 2 * _PAD + _LINE * (1 + max(map(len, groups.values())))
    parts = []
    for number, (group, tasks) in enumerate(groups.items()):
        left = number * (width + gap) + 1
        parts.append(_box(left, 1, width, height, group, [(0, task, "") for task in tasks]))
        if number:
            parts.append(_arrow(left - gap, left, height // 2))
    return _svg(len(groups) * (width + gap) - gap + 2, height + 2, "The tasks of the DAG", parts)


def tables() -> str:
    """The tables of each entity, with the tables that they refer to."""
    columns: list[list[tuple[str, list[tuple[int, str, str]]]]] = [[], [], []]
    place = {Entity.LABELS: 0, Entity.ARTISTS: 0, Entity.MASTERS: 1, Entity.RELEASES: 2, None: 1}
    for entity, column in place.items():
        found = [table for table in dictionary.tables() if table.entity == entity]
        columns[column].append((str(entity or "names"), [_table(table) for table in found]))
    width, gap, parts, heights = 300, 20, [], []
    for number, boxes in enumerate(columns):
        top = 1
        for title, rows in boxes:
            height = 2 * _PAD + _LINE * (1 + len(rows))
            parts.append(_box(number * (width + gap) + 1, top, width, height, title, rows))
            top += height + gap
        heights.append(top - gap)
    total = len(columns) * (width + gap) - gap
    return _svg(total + 2, max(heights) + 1, "The tables and their references", parts)


def _table(table: DescribedTable) -> tuple[int, str, str]:
    """How far a table's name is indented, the name, and the tables that it refers to."""
    below = 0 if table.entity is None or table.name == str(table.entity) else 1
    targets = dict.fromkeys(column.references for column in table.columns if column.references)
    return below + ("track_seq" in table.key), table.name, ", ".join(map(str, targets))


def _box(
    left: int, top: int, width: int, height: int, title: str, rows: Sequence[tuple[int, str, str]]
) -> str:
    parts = [f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>']
    parts.append(_text(left + _PAD, top + _PAD + 12, title, "title"))
    for number, (indent, name, to) in enumerate(rows, start=1):
        target = f' <tspan class="to">→ {escape(to)}</tspan>' if to else ""
        y = top + _PAD + 12 + number * _LINE
        parts.append(f'<text x="{left + _PAD + 14 * indent}" y="{y}">{escape(name)}{target}</text>')
    return "\n".join(parts)


def _arrow(start: int, end: int, y: int) -> str:
    return (
        f'<path class="edge" d="M{start + 4} {y}H{end - 9}"/>'
        f'<path class="head" d="M{end - 10} {y - 5}L{end - 2} {y}L{end - 10} {y + 5}Z"/>'
    )


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'


def _svg(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' role="img">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n{body}\n</svg>\n'
    )
