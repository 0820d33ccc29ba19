"""The package as users install it: as a wheel, or as copied folders."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import discogs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("dags", "plugins", "include")
# In a process of its own, as Airflow's dag-processor sees it.
LOOK = """
import json, sys
from pathlib import Path
import airflow
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
import discogs
from discogs.database.migrations import available
from discogs.records.kernel import FILE as kernel
bag = DagBag(conf.get("core", "dags_folder"), load_op_links=False)
dags = [DagSerialization.from_dict(DagSerialization.to_dict(dag)) for dag in bag.dags.values()]
print(json.dumps({
    "airflow": airflow.__file__,
    "discogs": discogs.__file__,
    "path": sys.path,
    "plugins": [[plugin.name, str(plugin.source)] for plugin in plugins],
    "errors": {**errors, **bag.import_errors},
    "dags": {dag.dag_id: [type(dag.timetable).__name__, len(dag.task_ids)] for dag in dags},
    "migrations": [migration.file_name for migration in available()],
    "kernel": kernel.is_file(),
}))
"""


def look(python: Path, home: Path) -> dict[str, Any]:
    """What Airflow finds in this interpreter, with ``home`` as AIRFLOW_HOME."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "DISCOGS", "PYTHON"))
    }
    done = subprocess.run(
        [python, "-W", "ignore", "-c", LOOK],
        cwd=home,
        env={
            **inherited,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, which shares our dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    scheme = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, capture_output=True)
    return python


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A new AIRFLOW_HOME."""
    home = tmp_path / "airflow"
    home.mkdir()
    return home


def readme_dag_file() -> str:
    found = re.search(
        r"^ *```python\n( *from discogs.*?)```", (ROOT / "README.md").read_text(), re.M | re.S
    )
    assert found is not None
    return textwrap.dedent(found[1])


def copy_folders(home: Path) -> None:
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, home / name, ignore=ignored)


def expected_migrations() -> list[str]:
    return sorted(path.name for path in (ROOT / "include" / "sql" / "migrations").glob("*.sql"))


def test_an_installed_wheel_gives_the_plugin_and_the_dag(installed: Path, home: Path) -> None:
    (home / "dags").mkdir()
    (home / "dags" / "catalogue.py").write_text(readme_dag_file())

    found = look(installed, home)

    assert found["errors"] == {}
    assert [name for name, _ in found["plugins"]] == ["discogs"]
    assert found["plugins"][0][1].startswith(f"airflow-discogs=={discogs.__version__}:")
    assert found["dags"].keys() == {"discogs_monthly"}
    assert found["dags"]["discogs_monthly"][0] == "MonthlyDumpTimetable"
    assert found["migrations"] == expected_migrations()
    assert found["kernel"]
    assert Path(found["discogs"]).is_relative_to(installed.parents[1])


def test_copied_folders_give_the_same_without_an_installation(home: Path) -> None:
    copy_folders(home)

    found = look(Path(sys.executable), home)

    assert found["errors"] == {}
    assert found["plugins"] == [["discogs", "$PLUGINS_FOLDER/discogs/airflow_plugin.py"]]
    assert found["dags"].keys() == {"discogs_monthly"}
    assert found["dags"]["discogs_monthly"][0] == "MonthlyDumpTimetable"
    assert found["migrations"] == expected_migrations()
    assert found["kernel"]
    assert Path(found["discogs"]).is_relative_to(home)
    # plugins/discogs/airflow must not be imported instead of Airflow.
    assert not Path(found["airflow"]).is_relative_to(home)
    within = [path for path in found["path"] if Path(path).is_relative_to(home / "plugins")]
    assert within == [str(home / "plugins")]


def test_a_wheel_beside_copied_folders_registers_the_plugin_once(
    installed: Path, home: Path
) -> None:
    copy_folders(home)

    found = look(installed, home)

    assert [name for name, _ in found["plugins"]] == ["discogs"]
    assert list(found["errors"].values()) == ["Plugin 'discogs' already registered, skipping"]
    assert found["dags"].keys() == {"discogs_monthly"}


def test_the_command_runs_from_the_wheel(installed: Path, home: Path) -> None:
    command = [installed, "-m", "discogs", "migrate", "--help"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True)

    assert "--dsn" in done.stdout


def test_the_wheel_has_the_package_its_sql_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sql = {
        f"discogs/sql/{path.relative_to(ROOT / 'include' / 'sql')}"
        for path in (ROOT / "include" / "sql").rglob("*.sql")
    }

    assert sql <= names
    assert "discogs/records/kernel.wasm" in names
    assert {name.split("/")[0] for name in names} == {
        "discogs",
        f"airflow_discogs-{discogs.__version__}.dist-info",
    }


def listed(name: str) -> set[str]:
    """The requirements of a file, without those that it includes."""
    lines = (ROOT / name).read_text().splitlines()
    return {line for line in lines if re.match(r"[a-z]", line)}


def test_the_lists_for_pip_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    assert listed("requirements.txt") == set(project["dependencies"])
    needed = {*extras["demo"], *extras["mirror"], *extras["dev"]}
    assert listed("requirements-dev.txt") == needed - {"airflow-discogs[demo,mirror]"}
    needed = {name for extra in ("s3", "celery", "test") for name in extras[extra]}
    assert listed("requirements-test.txt") == needed - {"airflow-discogs[dev,s3,celery]"}


def test_the_lock_has_every_package_of_the_lists_and_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {
        Requirement(line).name for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra

    assert {Requirement(each).name for each in wanted} - {"airflow-discogs"} <= locked
    # Airflow's amazon provider needs both, and botocore accepts no later version.
    assert "python-dateutil==2.9.0.post0" in (ROOT / "constraints.txt").read_text().splitlines()
