"""The first tasks of a run: its month, the database's tables, whether there is anything to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discogs.airflow.operators.base import DiscogsOperator, skip_run
from discogs.airflow.operators.links import DumpListingLink
from discogs.settings import without_effect

if TYPE_CHECKING:
    from airflow.sdk import Context


class ResolveMonthOperator(DiscogsOperator):
    """Determines the month of the run: its partition key, else *Month* of the trigger form, else
    the month in which it starts.

    Fails when it is given two different months. The other tasks determine the month likewise.
    """

    def work(self, context: Context) -> dict[str, Any]:
        for line in without_effect():
            self.log.warning("%s", line)
        self.log.info("This run is for %s.", self.options)
        # Each worker has its own environment: what differs between two shows here first.
        self.log.info("It writes to %s, schema %s.", self.postgres.place, self.settings.schema)
        self.log.info("Dumps are kept in %s.", self.storage)
        return self.options.as_dict()


class MigrateOperator(DiscogsOperator):
    """Brings the tables up to date: applies each migration of `include/sql/migrations` once, each
    in its own transaction. With `DISCOGS_SEARCH` it also builds missing search indexes."""

    def work(self, context: Context) -> list[str]:
        from discogs.database.keys import KeySettings
        from discogs.database.migrations import migrate
        from discogs.database.search import build_search

        applied = migrate(self.postgres.connect, self.settings.schema)
        if self.settings.search:
            keys = KeySettings.of(self.settings)
            build_search(self.postgres.connect, self.settings.schema, keys)
        self.log.info(
            "Schema %s is up to date: %d migrations applied now, in %.1f s.",
            self.settings.schema,
            len(applied),
            sum(migration.seconds for migration in applied),
        )
        return [migration.name for migration in applied]


class MonthPendingOperator(DiscogsOperator):
    """Skips the rest of the run when there is nothing to do: the month is loaded and Discogs has
    not published it again since, or another run is loading it. The log says which.

    A run that finds nothing to do is thus shown in the grid as skipped from here on, and starts no
    process for the tasks after this one; the grid still shows that Discogs was asked.

    Fails when the month has failed `DISCOGS_MAX_ATTEMPTS` times: when the cause is fixed, trigger
    it with *Force*. Months of runs that have ended without a result are first set to `failed`.
    """

    operator_extra_links = (DumpListingLink(),)

    def work(self, context: Context) -> str:
        with self.source() as source:
            answer = self.month_run(context).pending(source)
        if not answer.pending:
            skip_run(self, context, answer.reason)
        self.log.info("%s", answer.reason)
        return answer.reason
