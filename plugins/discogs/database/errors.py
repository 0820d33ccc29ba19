"""Errors of the target database and of connections to it."""

from __future__ import annotations

from discogs.errors import DiscogsError


class DatabaseError(DiscogsError):
    """PostgreSQL refused a statement or connection, or its setup does not allow a load."""


class DatabaseUnavailable(DatabaseError):
    """The server did not answer, the connection to it broke, or it has run out of a resource."""

    transient = True


class NotMigrated(DatabaseError):
    """The package's tables are not in the schema.

    :param what: what PostgreSQL does not find, in its own words.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"PostgreSQL refused: {what}. Run `python -m discogs migrate` first, or check the"
            " schema."
        )


class LockBusy(DatabaseError):
    """Another connection holds a lock that is needed."""

    transient = True


class PoolerUnusable(DatabaseError):
    """A connection pooler shares PostgreSQL sessions between clients.

    :param where: the pooler's host, port and database.
    :param how: what it does with sessions, as a verb phrase.
    """

    def __init__(self, where: str, how: str) -> None:
        super().__init__(
            f"The connection pooler at {where} {how}, but a load needs sessions that it does not"
            " share. Nothing was changed. Use PostgreSQL's own address, or a pool with pool_mode ="
            " session and server_reset_query = DISCARD ALL."
        )


class MigrationError(DatabaseError):
    """The database's schema and the package's migrations do not match."""


class StagingTaken(DatabaseError):
    """A later attempt has claimed a shard that this one was staging or merging."""

    def __init__(self, entity: object, month: object) -> None:
        super().__init__(
            f"{entity} of {month} is being staged, or was merged, by a later attempt; this one"
            " writes nothing more. No action is needed if the later attempt succeeds."
        )
