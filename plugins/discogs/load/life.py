"""Which runs are still alive, as recorded in the target database, which all loads share.

An Airflow run has a *lease* on its month: ``alive_until`` of the month's row. While a task is
executed, a thread renews the leases of all months of the same Airflow, since the months of a
backfill wait for one another. A task that is deferred to the triggerer, or waits for its retry,
leaves a lease that lasts until then. An Airflow asks its own metadata about its own runs first;
another Airflow, the command and ``status`` have only the lease.

A command has no lease: it holds its month's advisory lock as long as it runs.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from types import TracebackType

import psycopg

from discogs.database.connection import Connect, Connection
from discogs.errors import DiscogsError
from discogs.load.locks import COMMAND, command_is_alive
from discogs.schema.entities import Month
from discogs.tracking.model import LEASE, MonthRecord

log = logging.getLogger(__name__)

#: Seconds between two renewals of a lease.
_BEAT_SECONDS = 30.0

_RENEW = """
UPDATE discogs_data_processing
SET alive_until = greatest(alive_until, clock_timestamp() + %s)
WHERE airflow = %s AND status IN ('downloading', 'ready_for_processing', 'processing')
"""
_HAS_LEASE = """
SELECT coalesce(alive_until > clock_timestamp(), true) FROM discogs_data_processing
WHERE year_month = %s AND dag_id = %s AND run_id = %s AND airflow IS NOT DISTINCT FROM %s
"""


def is_alive(
    connect: Connect, schema: str, record: MonthRecord, *, held: Month | None = None
) -> bool:
    """Whether the run that a row names may still be at work, as far as the database shows.

    A run without a lease, of an earlier version, counts as alive: only its own Airflow knows.

    :param held: a month whose lock the caller holds, so that no other command works on it.
    """
    run = record.run
    if run is None:
        return False
    if run.dag_id == COMMAND:
        return command_is_alive(connect, schema, run, held=held)
    with connect() as conn:
        row = conn.execute(
            _HAS_LEASE, [str(record.month), run.dag_id, run.run_id, run.airflow]
        ).fetchone()
    return row is not None and bool(row[0])


class Heartbeat:
    """Renews the leases of an Airflow's months while one of its tasks is executed.

    :param airflow: the Airflow's id.
    :param seconds: between two renewals.
    """

    def __init__(self, connect: Connect, airflow: str, seconds: float = _BEAT_SECONDS) -> None:
        self._connect = connect
        self._airflow = airflow
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="discogs-heartbeat", daemon=True)
        self._lease = LEASE

    def __enter__(self) -> Heartbeat:
        # In the task's own thread, so that the task fails if the database is not reachable.
        self._conn = self._connect()
        try:
            self._renew(LEASE)
        except BaseException:
            self._conn.close()
            raise
        self._thread.start()
        return self

    def extend(self, more: dt.timedelta) -> None:
        """Make the lease that is left at the end longer, for the time until the run's next task."""
        self._lease = LEASE + more

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=self._seconds)
        if not self._thread.is_alive():
            self._try(self._lease)
            self._conn.close()

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds):
            self._try(LEASE)

    def _try(self, lease: dt.timedelta) -> None:
        """Renew the leases, on a new connection if the old one broke; a failure is only logged."""
        try:
            if self._conn.closed:
                self._conn = self._connect()
            self._renew(lease)
        except (psycopg.Error, DiscogsError) as error:
            self._conn.close()
            log.warning("The heartbeat could not be renewed: %s", " ".join(str(error).split()))

    def _renew(self, lease: dt.timedelta) -> None:
        conn: Connection = self._conn
        conn.execute(_RENEW, [lease, self._airflow])
        conn.commit()
