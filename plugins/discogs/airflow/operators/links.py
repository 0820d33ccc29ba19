"""Links from a task's page to where its files come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class DumpListingLink(BaseOperatorLink):
    """To the server's list of what the run's month has."""

    name = "Dump listing"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        from discogs.airflow.hooks.dumps import DiscogsDumpsHook
        from discogs.errors import DiscogsError
        from discogs.load.options import RunOptions

        plan = getattr(operator, "plan", None)
        if not isinstance(plan, dict):
            return ""  # the task ended before it knew its month
        try:
            hook = DiscogsDumpsHook(getattr(operator, "dumps_conn_id", "discogs_dumps"))
            return hook.listing_url(RunOptions.from_dict(plan).month)
        except DiscogsError:
            return ""  # the task itself has told what is wrong with the connection
