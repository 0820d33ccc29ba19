"""Before the work: which month, is the database ready, is there anything to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discogs.airflow.operators.base import DiscogsOperator, skip_run
from discogs.airflow.operators.links import DumpListingLink
from discogs.settings import without_effect

if TYPE_CHECKING:
    from airflow.sdk import Context


class ResolveMonthOperator(DiscogsOperator):
    """Says which month the run is for: its partition key, else *Month* of the form, else the month
    that it starts in.

    Fails when it is given two different months. Every task finds this out by itself.
    """

    def work(self, context: Context) -> dict[str, Any]:
        for line in without_effect():
            self.log.warning("%s", line)
        self.log.info("This run is for %s.", self.options)
        # Each worker has its own environment: what differs between two shows here first.
        self.log.info("It writes to %s, schema %s.", self.postgres.place, self.settings.schema)
        self.log.info("Dumps are kept at %s.", self.storage)
        return self.options.as_dict()


class MigrateOperator(DiscogsOperator):
    """Brings the tables up to date: applies each migration of `include/sql/migrations` once, in a
    transaction of its own. With `DISCOGS_SEARCH` it also builds the search indexes that are
    missing."""

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
    """Ends the run here, skipped, when there is nothing to do: the month is loaded and Discogs has
    not published it again since, or another run is at work on it. The log says which.

    So a look that finds nothing to do shows in the grid as skipped, from here on, and no process is
    started for what follows. It is there all the same: that Discogs was asked can be seen.

    Fails when the month has failed `DISCOGS_MAX_ATTEMPTS` times: trigger it with *Force* when the
    cause is fixed. Months of any run that is gone become `failed` first.
    """

    operator_extra_links = (DumpListingLink(),)

    def work(self, context: Context) -> str:
        with self.source() as source:
            answer = self.month_run(context).pending(source)
        if not answer.pending:
            skip_run(self, context, answer.reason)
        self.log.info("%s", answer.reason)
        return answer.reason
