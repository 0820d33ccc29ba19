"""The API against its own OpenAPI document, with requests that schemathesis makes up."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import hypothesis
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it depends on
    import schemathesis

from tests.airflow.page.conftest import SECOND

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

pytestmark = pytest.mark.slow

REQUESTS = 15  # of each operation


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_answer_is_valid_by_the_document(
    client: Callable[..., TestClient],
) -> None:
    app = client()
    user = {"Authorization": app.headers["Authorization"]}
    document = app.get("openapi.json").json()
    schema = schemathesis.openapi.from_asgi("/discogs/openapi.json", app.app, headers=user)
    schema.config.update(base_url="http://testserver/discogs")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == len(document["paths"])

    for operation in operations:

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=REQUESTS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def ask(case: schemathesis.Case) -> None:
            # Few of the months that could be asked for are there.
            if (case.path_parameters or {}).get("year_month", "1")[-1] in "02468":
                case.path_parameters["year_month"] = SECOND
            case.call_and_validate(headers=user)

        ask()
