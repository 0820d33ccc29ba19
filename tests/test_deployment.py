"""The files of Docker Compose and make are valid, and match the package."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from demo import embedded, env_file
from discogs.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[1]
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}
PROFILES = {"redis": "celery", "worker": "celery", "mirror": "sample", "sample": "sample"}
ONCE = {"airflow-init", "sample"}


DATABASES = {"airflow-postgres", "discogs-postgres"}


def configured(folder: Path, **variables: str) -> Any:
    """The services as a compose program sees them, of every profile.

    :param folder: gets the .env, to which variables are added, and what a compose program needs.
    """
    pytest.importorskip("podman_compose", reason="pip install -r requirements-test.txt")
    shutil.copy(ROOT / "docker-compose.yaml", folder)
    shutil.copy(ROOT / ".env.example", folder)
    env_file.main(folder)
    with (folder / ".env").open("a") as added:
        added.writelines(f"{name}={value}\n" for name, value in variables.items())
    engine = folder / "podman"  # which is asked for its version alone
    engine.write_text("#!/bin/sh\necho podman version 5.0.0\n")
    engine.chmod(0o755)
    command = [sys.executable, "-m", "podman_compose", "--podman-path", str(engine)]
    command += [f"--profile={profile}" for profile in sorted(set(PROFILES.values()))]
    done = subprocess.run(
        [*command, "config"], cwd=folder, capture_output=True, text=True, check=True
    )
    return yaml.safe_load(done.stdout)["services"]


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


def test_the_file_is_one_by_the_compose_specification(compose: Any) -> None:
    """The schema is schema/compose-spec.json of github.com/compose-spec/compose-spec."""
    schema = json.loads((ROOT / "tests" / "compose-spec.json").read_text())

    errors = jsonschema.Draft7Validator(schema).iter_errors(compose)

    assert [(list(error.absolute_path), error.message) for error in errors] == []


def test_a_compose_program_reads_the_file_with_the_secrets_that_make_fills_in(
    tmp_path: Path,
) -> None:
    services = configured(tmp_path)

    assert services.keys() == {*AIRFLOW, "airflow-init", *PROFILES, *DATABASES}
    environment = services["worker"]["environment"]
    secrets = dict(re.findall(r"^(\w+)=(.+)$", (tmp_path / ".env").read_text(), re.MULTILINE))
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert f":{secrets['REDIS_PASSWORD']}@" in environment["AIRFLOW__CELERY__BROKER_URL"]
    assert (
        json.loads(environment["AIRFLOW_CONN_DISCOGS_POSTGRES"])["password"]
        == (secrets["DISCOGS_POSTGRES_PASSWORD"])
    )
    assert len(base64.urlsafe_b64decode(environment["AIRFLOW__CORE__FERNET_KEY"])) == 32
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    again = (tmp_path / ".env").read_text()
    env_file.main(tmp_path)
    assert (tmp_path / ".env").read_text() == again


def test_every_part_that_airflow_3_needs_is_there(compose: Any) -> None:
    services = compose["services"]

    assert {name: services[name].get("profiles") for name in services} == {
        **dict.fromkeys([*AIRFLOW, "airflow-init", *DATABASES]),
        **{name: [profile] for name, profile in PROFILES.items()},
    }
    assert {name: services[name]["command"] for name in AIRFLOW} == {name: name for name in AIRFLOW}


def test_the_target_database_starts_with_its_settings(compose: Any, tmp_path: Path) -> None:
    """PostgreSQL checks the settings without being started."""
    program, *options = configured(tmp_path)["discogs-postgres"]["command"]
    assert program == "postgres"
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        (Path(folder) / "postgresql.conf").touch()
        user = "nobody" if os.geteuid() == 0 else None
        if user is not None:
            shutil.chown(folder, user)
        command = [str(embedded.binaries() / program), "-D", folder, "-C", "wal_level", *options]
        result = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True)

    assert (result.returncode, result.stdout) == (0, "minimal\n"), result.stderr


def test_every_lasting_service_is_checked_and_restarted(compose: Any) -> None:
    for name, service in compose["services"].items():
        if name in ONCE:
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "always", name
        assert service["healthcheck"]["test"], name
        assert int(service["healthcheck"]["timeout"].removesuffix("s")) > 10, name


def test_what_waits_for_a_service_waits_until_it_works(compose: Any) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            finished = wait["condition"] == "service_completed_successfully"
            assert finished == (other == "airflow-init"), (name, other)
            assert finished or "healthcheck" in services[other], (name, other)
    for name in {*AIRFLOW, "worker", "mirror", "sample"}:
        assert "airflow-init" in services[name]["depends_on"], name


def test_airflows_services_agree(compose: Any) -> None:
    environments = [compose["services"][name]["environment"] for name in {*AIRFLOW, "worker"}]
    first = environments[0]

    assert all(environment == first for environment in environments)
    assert first["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://api-server:8080/execution/"
    assert first["AIRFLOW__API_AUTH__JWT_SECRET"].startswith("${AIRFLOW_JWT_SECRET:?")
    assert first["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True"
    for service in ("airflow-postgres", "discogs-postgres"):
        assert f"{service}" in str(first)


def test_the_folders_of_the_package_are_mounted_where_it_looks_for_them(compose: Any) -> None:
    for name in AIRFLOW:
        mounted = dict(volume.split(":")[:2] for volume in compose["services"][name]["volumes"])
        for folder in ("dags", "plugins", "include"):
            assert mounted[f"./{folder}"] == f"/opt/airflow/{folder}"
        named = {source for source in mounted if not source.startswith("./")}
        assert named <= compose["volumes"].keys()


def test_the_image_is_the_airflow_of_the_lock(compose: Any) -> None:
    locked = re.search(
        r"^apache-airflow==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE
    )

    assert locked is not None
    text = compose["services"]["scheduler"]["build"]["dockerfile_inline"]
    assert f"FROM apache/airflow:{locked[1]}-python" in text


def test_the_image_keeps_what_it_has_and_takes_the_rest_from_the_lock(
    compose: Any, tmp_path: Path
) -> None:
    text = compose["services"]["scheduler"]["build"]["dockerfile_inline"].replace("\\\n", " ")
    copied = re.search(r"^COPY (.*) /tmp/discogs/$", text, re.MULTILINE)
    run = re.search(r"^RUN (.*)$", text, re.MULTILINE)
    assert copied is not None
    assert run is not None
    (tmp_path / "discogs").mkdir()
    for name in copied[1].split():
        shutil.copy(ROOT / name, tmp_path / "discogs")

    # What the build does before it installs.
    prepare, _, install = run[1].partition(" && pip install ")
    assert "-c image.txt -c rest.txt" in install
    subprocess.run(
        ["sh", "-ec", prepare.replace("cd /tmp ", f"cd {tmp_path} ")],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"},
        check=True,
    )

    image, rest = (
        {
            canonicalize_name(Requirement(line).name)
            for line in (tmp_path / name).read_text().splitlines()
        }
        for name in ("image.txt", "rest.txt")
    )
    assert {"apache-airflow", "lxml", "jinja2"} <= image
    locked = {
        canonicalize_name(Requirement(line).name)
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    }
    # The tests' own environment stands in for the image: it lacks what other platforms need.
    assert {"colorama"} <= rest == locked - image


def test_a_setting_in_the_env_file_reaches_every_container(compose: Any) -> None:
    settings = {variable(item.name) for item in fields(Settings)}

    for name in AIRFLOW:
        assert compose["services"][name]["env_file"] == ".env"
        # What is listed wins over the file, so it must pass on what the file says.
        for setting in settings & compose["services"][name]["environment"].keys():
            value = compose["services"][name]["environment"][setting]
            assert value.startswith(f"${{{setting}:-"), setting


def test_no_port_is_open_to_the_network(compose: Any) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_the_example_names_every_variable_and_holds_no_secret() -> None:
    text = (ROOT / "docker-compose.yaml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)[:}]", text))
    example = dict(re.findall(r"^#? ?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M))
    settings = {variable(item.name) for item in fields(Settings)}

    assert used - settings <= example.keys()
    assert example.keys() <= used | settings | {"COMPOSE_PROFILES"}
    for name in re.findall(r"\$\{([A-Z_]+):\?", text):
        assert example[name] == "", name


def test_the_locks_celery_is_one_that_airflows_executor_works_with() -> None:
    pytest.importorskip("celery", reason="pip install -r requirements-test.txt")
    program = "import airflow.providers.celery.executors.celery_executor"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert result.returncode == 0, result.stderr


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
def test_where_the_whole_repository_is_a_dag_bundle_only_the_dag_is_parsed() -> None:
    from airflow._shared.module_loading.file_discovery import find_path_from_directory

    found = find_path_from_directory(str(ROOT), ".airflowignore", "glob")

    python = {str(Path(path).relative_to(ROOT)) for path in found if path.endswith(".py")}
    assert python == {"dags/discogs_monthly.py"}


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None

    # Called by another make, as in `make test`, it would print the folder that it enters.
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert {line.split()[0] for line in done.stdout.splitlines()} == set(phony[1].split())
