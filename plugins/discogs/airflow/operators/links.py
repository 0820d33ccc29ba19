"""Links from a task's page to where its files come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from discogs.airflow.hooks.dumps import DiscogsDumpsHook
from discogs.airflow.runs import Run
from discogs.errors import DiscogsError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class DumpListingLink(BaseOperatorLink):
    """To the server's list of what the run's month has."""

    name = "Dump listing"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """:param ti_key: the task instance; Airflow calls this when its task has ended."""
        try:
            hook = DiscogsDumpsHook(getattr(operator, "dumps_conn_id", "discogs_dumps"))
            return hook.listing_url(Run.of(ti_key.get_template_context()["dag_run"]).month)
        except DiscogsError:
            return ""  # the task's own error says what is wrong with its month or the connection
