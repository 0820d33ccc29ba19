"""Errors of the target database and of the way to it."""

from __future__ import annotations

from discogs.errors import DiscogsError


class DatabaseError(DiscogsError):
    """PostgreSQL refused something, or cannot do it as it is set up."""


class DatabaseUnavailable(DatabaseError):
    """The server did not answer, the connection to it broke, or it has run out of something."""

    transient = True


class LockBusy(DatabaseError):
    """Another connection holds a lock that is needed."""

    transient = True


class MigrationError(DatabaseError):
    """The database's schema and the package's migrations do not go together."""


class StagingTaken(DatabaseError):
    """A later try of a shard took its staging tables from this one."""

    def __init__(self, entity: object, month: object) -> None:
        super().__init__(
            f"{entity} of {month} is being staged, or was merged, by a later attempt; this one"
            " writes nothing more. No action is needed if the later attempt succeeds."
        )
