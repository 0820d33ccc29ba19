"""The link from a task to the source of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from discogs.airflow.hooks.dumps import DiscogsDumpsHook
from discogs.airflow.runs import Run
from discogs.errors import DiscogsError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class DumpListingLink(BaseOperatorLink):
    """Links to the server's listing of the run's month."""

    name = "Dump listing"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """:param ti_key: the task instance; Airflow calls this when its task has ended."""
        try:
            hook = DiscogsDumpsHook(getattr(operator, "dumps_conn_id", "discogs_dumps"))
            return hook.listing_url(Run.of(ti_key.get_template_context()["dag_run"]).month)
        except DiscogsError:
            return ""  # the task's own error says what is wrong with its month or the connection
