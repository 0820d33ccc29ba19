"""The response times of the Discogs page: ``python -m benchmarks.page --changes 10000000``.

Generates months with their loads, a change feed and releases to go with it, and asks each address
of the API over HTTP, as a browser does, Airflow's authentication included. Prints a table, and
writes ``results/page-N.json``. The exit code is 1 when an answer takes longer than the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from benchmarks.process import ROOT
from benchmarks.server import started
from discogs.database.connection import Connect, connector
from discogs.database.migrations import migrate

LIMIT = 0.3  # seconds
MONTHS = 120
_RELEASES = 2_000_000  # number of ids in the change feed

_MONTHS_TABLE = """
CREATE TEMPORARY TABLE months AS
SELECT to_char(date '2016-12-01' + make_interval(months => n), 'YYYY-MM') AS name, n
FROM generate_series(0, %s - 1) n
"""
_TRACKING = """
INSERT INTO discogs_data_processing (
    id, year_month, status, dump_date, started_at, download_completed_at, processing_completed_at,
    dag_id, run_id, checks
)
SELECT gen_random_uuid(), name, 'completed', (name || '-01')::date,
    (name || '-02')::timestamptz, (name || '-02')::timestamptz + interval '12 min',
    (name || '-02')::timestamptz + interval '31 min', 'discogs_monthly', 'scheduled__' || name,
    (SELECT jsonb_agg(jsonb_build_object('name', 'live_records: ' || i, 'passed', true,
        'value', i, 'detail', 'live rows')) FROM generate_series(1, 17) i)
FROM months
"""
_FILES = """
INSERT INTO discogs_data_processing_files (
    year_month, file_name, size, bytes_done, state, attempts, started_at, completed_at
)
SELECT name, 'discogs_' || replace(name, '-', '') || '01_' || e || '.xml.gz', 1e9, 1e9, 'verified',
    1, (name || '-02')::timestamptz, (name || '-02')::timestamptz + interval '9 min'
FROM months, unnest(ARRAY['labels', 'artists', 'masters', 'releases']) e
"""
_LOADS = """
INSERT INTO entity_loads (year_month, entity, generation, records, report, merged_at)
SELECT name, e, n + 1, 10000000 + n * 40000, jsonb_build_object(
    'read', 10000000, 'unchanged', 9900000, 'inserted', 40000, 'updated', 60000, 'removed', 300,
    'restored', 20, 'rejected', 3, 'rows', 900000, 'bytes', 60e9, 'seconds', 900,
    'stage_seconds', 700, 'merge_seconds', 200, 'first_load', n = 0
), (name || '-02')::timestamptz
FROM months, unnest(ARRAY['labels', 'artists', 'masters', 'releases']) e
"""
_CHANGES = """
INSERT INTO entity_changes (year_month, entity, id, change, tables, columns)
SELECT name, 'releases', 1 + (i * 37 + n * 1009) %% %s,
    CASE WHEN i %% 10 < 4 THEN 'added' WHEN i %% 1000 = 999 THEN 'restored'
        WHEN i %% 100 = 98 THEN 'removed' ELSE 'changed' END,
    ARRAY['releases'], ARRAY['releases.country']
FROM months, generate_series(1, %s) i WHERE n > 0
ON CONFLICT DO NOTHING
"""
_RELEASE_ROWS = """
INSERT INTO releases (id, title, country, dump_month, fingerprint)
SELECT i, 'Title ' || md5(i::text), 'Germany', '2026-11', i FROM generate_series(1, %s) i
"""
_REJECTED = """
INSERT INTO rejected_records (year_month, entity, byte_offset, record_id, reason, xml)
SELECT name, 'releases', i, i, 'mismatched tag', repeat('<x/>', 500)
FROM months, generate_series(1, 200) i
"""

#: The requests of the page's views.
ADDRESSES = {
    "months": "months?limit=240",
    "what is at work": "progress",
    "tables": "tables",
    "a month": "months/2026-11",
    "its changes": "months/2026-11/changes?limit=25",
    "its changes, of a rare kind": "months/2026-11/changes?limit=25&change=restored",
    "its changes, a page far on": "months/2026-11/changes?limit=25&after=releases.1900000",
    "its rejected records": "months/2026-11/rejected?limit=10",
    "its report": "months/2026-11/report",
    "a record's story": "records/releases/1010",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=1_000_000, help="rows of the change feed")
    parser.add_argument("--runs", type=int, default=20, help="requests of each kind")
    args = parser.parse_args()
    home = tempfile.TemporaryDirectory(prefix="discogs-airflow-")
    os.environ.update(AIRFLOW_HOME=home.name, AIRFLOW__CORE__LOAD_EXAMPLES="False")
    with home, started(None) as (server, _):
        dsn = server.create("page")
        generate(connector(dsn, "discogs"), args.changes)
        times = measure(dsn, args.runs)
    report(args.changes, times)
    return 1 if max(max(seconds) for seconds in times.values()) > LIMIT else 0


def generate(connect: Connect, changes: int) -> None:
    began = time.monotonic()
    migrate(connect, "discogs")
    each, ids = changes // (MONTHS - 1), min(_RELEASES, max(1000, changes // 5))
    with connect() as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute(_MONTHS_TABLE.replace("%s", str(MONTHS)).encode())
        for statement in (_TRACKING, _FILES, _LOADS, _REJECTED):
            conn.execute(statement.encode())
        conn.execute(_RELEASE_ROWS.encode(), [ids])
        conn.execute(_CHANGES.encode(), [ids, each])
        conn.commit()
        conn.autocommit = True
        conn.execute("VACUUM ANALYZE")
        row = conn.execute("SELECT count(*) FROM entity_changes").fetchone()
    assert row is not None
    print(f"{row[0]:,} changes of {MONTHS} months in {time.monotonic() - began:.0f} s")


def measure(dsn: str, runs: int) -> dict[str, list[float]]:
    from docs.page import environment, served

    os.environ.update(environment(dsn))
    times: dict[str, list[float]] = {name: [] for name in ADDRESSES}
    with served(dsn) as page, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {page.token}"
        session.trust_env = False
        for run in range(runs + 1):
            for name, address in ADDRESSES.items():
                began = time.monotonic()
                session.get(f"{page.url}api/{address}", timeout=30).raise_for_status()
                if run:  # the first fills the caches
                    times[name].append(time.monotonic() - began)
    return times


def report(changes: int, times: dict[str, list[float]]) -> None:
    table = Table(title=f"The page's answers with {changes:,} changes, milliseconds")
    table.add_column("answer")
    for name in ("median", "longest"):
        table.add_column(name, justify="right")
    results: dict[str, Any] = {}
    for name, seconds in times.items():
        median, longest = statistics.median(seconds), max(seconds)
        table.add_row(name, f"{median * 1000:.0f}", f"{longest * 1000:.0f}")
        results[name] = {"median": round(median, 4), "longest": round(longest, 4)}
    Console().print(table)
    path = Path(ROOT) / "benchmarks" / "results" / f"page-{changes}.json"
    path.write_text(
        json.dumps({"changes": changes, "months": MONTHS, "seconds": results}, indent=2)
    )
    print(path)


if __name__ == "__main__":
    sys.exit(main())
