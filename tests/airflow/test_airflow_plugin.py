"""The plugins folder, as Airflow's plugin manager sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# In a separate process, since loaded plugins stay in sys.modules.
LOAD = """
import json, sys
from pathlib import Path
from airflow import plugins_manager
before = set(sys.modules)
plugins, errors = plugins_manager._get_plugins()
folder = sys.argv[1]
loaded = {
    name: module.__file__ for name, module in sys.modules.items()
    if (getattr(module, "__file__", None) or "").startswith(folder)
}
print(json.dumps({
    "plugins": [plugin.name for plugin in plugins],
    "errors": errors,
    "bare": sorted(name for name in loaded if name.partition(".")[0] != "discogs"),
    "added": sorted(set(sys.modules) - before),
    "timetables": sorted(plugins_manager.get_timetables_plugins()),
}))
"""


def load_plugins(folder: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD, str(folder)],
        env=dict(os.environ, AIRFLOW__CORE__PLUGINS_FOLDER=str(folder)),
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_airflow_loads_one_file_and_no_module_under_its_bare_name() -> None:
    answer = load_plugins(ROOT / "plugins")

    assert answer["errors"] == {}
    assert answer["plugins"] == ["discogs"]
    assert answer["bare"] == ["airflow_plugin"]
    assert answer["timetables"] == [
        f"discogs.airflow.timetables.{name}"
        for name in ("MonthlyDumpTimetable", "UnscheduledDumpTimetable")
    ]


def test_the_plugin_brings_no_heavy_library_into_every_process() -> None:
    added = load_plugins(ROOT / "plugins")["added"]

    assert isinstance(added, list)
    assert "discogs.airflow.listeners" in added
    heavy = {"pyarrow", "lxml", "wasmtime", "numpy", "psycopg", "requests", "pycurl", "rich"}
    assert heavy.isdisjoint(added)
    assert {"discogs.airflow.hooks", "discogs.airflow.operators"}.isdisjoint(added)
    assert not any(name.startswith("discogs.airflow.page") for name in added)
