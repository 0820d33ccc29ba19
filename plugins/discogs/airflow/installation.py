"""The id of this Airflow installation.

Two installations that load into one database may have runs with the same id. Airflow has no
installation id that every component can read, so the first task that needs one creates it as an
Airflow variable, which tasks, the scheduler and the api-server can all read.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from airflow.sdk import Variable

if TYPE_CHECKING:
    from discogs.database.connection import Connect

VARIABLE = "discogs_airflow_id"
_ABOUT = (
    "Identifies this Airflow in the tracking rows of the Discogs database. In a copy of Airflow's"
    " database, delete this variable, so that the copy gets its own id."
)
_known: dict[str, str] = {}


def known() -> str | None:
    """The id of this Airflow; None when it has none yet, or cannot be read."""
    if VARIABLE not in _known:
        found = Variable.get(VARIABLE, default=None)
        if found is None:
            return None
        _known[VARIABLE] = str(found)
    return _known[VARIABLE]


def ensure(connect: Connect, schema: str) -> str:
    """The id of this Airflow, created if it has none.

    :param connect: connects to the target database, whose advisory lock lets only one of several
        tasks create the id.
    """
    from discogs.database.locking import advisory_lock

    found = known()
    if found is not None:
        return found
    with connect() as conn, advisory_lock(conn, f"airflow:{schema}"):
        # Not Variable.get alone: it returns the default on an error too.
        if VARIABLE not in list(Variable.keys(prefix=VARIABLE)):
            Variable.set(VARIABLE, str(uuid.uuid4()), description=_ABOUT)
        found = known()
    assert found is not None, f"the variable {VARIABLE} cannot be read"
    return found
