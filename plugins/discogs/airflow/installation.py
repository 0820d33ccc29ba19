"""Which Airflow this is: two that load into one database may name their runs alike.

Airflow has no id of its own that every component knows. So the first task that needs one makes one
and keeps it as an Airflow variable, which tasks, the scheduler and the api-server can all read.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from airflow.sdk import Variable

if TYPE_CHECKING:
    from discogs.database.connection import Connect

VARIABLE = "discogs_airflow_id"
_ABOUT = (
    "Identifies this Airflow in the months' rows of the Discogs database. Delete it in a copy of"
    " Airflow's database, so that the copy gets an id of its own."
)
_known: dict[str, str] = {}


def known() -> str | None:
    """The id of this Airflow; None when it has none yet, or cannot be asked."""
    if VARIABLE not in _known:
        found = Variable.get(VARIABLE, default=None)
        if found is None:
            return None
        _known[VARIABLE] = str(found)
    return _known[VARIABLE]


def ensure(connect: Connect, schema: str) -> str:
    """The id of this Airflow, made now when it has none.

    :param connect: to the database that its tasks share: of those that ask at once, one makes it.
    """
    from discogs.database.locking import advisory_lock

    found = known()
    if found is not None:
        return found
    with connect() as conn, advisory_lock(conn, f"airflow:{schema}"):
        # The keys are asked for too: Variable.get takes a fault for a variable that is not there.
        if VARIABLE not in list(Variable.keys(prefix=VARIABLE)):
            Variable.set(VARIABLE, str(uuid.uuid4()), description=_ABOUT)
        found = known()
    assert found is not None, f"the variable {VARIABLE} cannot be read"
    return found
