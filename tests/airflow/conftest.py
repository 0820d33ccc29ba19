"""What the tests of Airflow's face share. Its environment is set one folder above."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Airflow's own, at its import
    import airflow.sdk  # noqa: F401


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pathspec deprecates what Airflow calls while it looks for DAGs and plugins.
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
            )
