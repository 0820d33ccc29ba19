"""The dumps of two months, and databases before and after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from psycopg.conninfo import conninfo_to_dict

from discogs.schema.entities import Month
from tests.conftest import new_database
from tests.load.killed.killing import (
    FIRST,
    SECOND,
    Prepared,
    counted,
    outcome,
    states,
    write_dumps,
)


@pytest.fixture(scope="session")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, server: str, migrated_template: str
) -> Iterator[Prepared]:
    """The dumps of two months, and databases before and after each."""
    folder = tmp_path_factory.mktemp("killed")
    write_dumps(folder, FIRST, releases=150)
    with ExitStack() as stack:
        middle = stack.enter_context(new_database(server, template=migrated_template))
        before = states(middle)
        counts = {FIRST: counted(middle, folder, FIRST)}
        first = str(conninfo_to_dict(middle)["dbname"])
        after = stack.enter_context(new_database(server, template=first))
        counts[SECOND] = counted(after, folder, SECOND)
        yield Prepared(
            folder,
            {FIRST: migrated_template, SECOND: first},
            {FIRST: outcome(middle), SECOND: outcome(after)},
            {FIRST: (before, states(middle)), SECOND: (states(middle), states(after))},
            counts,
        )


@pytest.fixture
def start(server: str, prepared: Prepared) -> Iterator[Callable[[Month], str]]:
    """Creates a database in the state before a month's load; returns its DSN."""
    with ExitStack() as stack:

        def make(month: Month) -> str:
            return stack.enter_context(new_database(server, template=prepared.template[month]))

        yield make
