"""Files that Docker Compose and make read: they are whole, and fit the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from discogs.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[1]
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


def test_every_part_that_airflow_3_needs_is_there(compose: Any) -> None:
    services = compose["services"]

    assert services.keys() == {*AIRFLOW, "airflow-init", "airflow-postgres", "discogs-postgres"}
    assert {name: services[name]["command"] for name in AIRFLOW} == {name: name for name in AIRFLOW}


def test_every_lasting_service_is_checked_and_restarted(compose: Any) -> None:
    for name, service in compose["services"].items():
        if name == "airflow-init":
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
    for name in AIRFLOW:
        assert "airflow-init" in services[name]["depends_on"]


def test_airflows_services_agree(compose: Any) -> None:
    environments = [compose["services"][name]["environment"] for name in AIRFLOW]
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
    assert example.keys() <= used | settings
    for name in re.findall(r"\$\{([A-Z_]+):\?", text):
        assert example[name] == "", name


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None

    # Below another make, as in `make test`, it would say which folder it enters.
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert {line.split()[0] for line in done.stdout.splitlines()} == set(phony[1].split())
