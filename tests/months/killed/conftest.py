"""The dumps of two months, and databases before and after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from discogs.catalogue import Month
from discogs.database.embedded import with_database
from tests.conftest import _create, _drop
from tests.months.killed.killing import (
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

        def copy(template: str) -> str:
            name = _create(server, template=template)
            stack.callback(_drop, server, name)
            return name

        first = copy(migrated_template)
        before = states(with_database(server, first))
        counts = {FIRST: counted(with_database(server, first), folder, FIRST)}
        second = copy(first)
        counts[SECOND] = counted(with_database(server, second), folder, SECOND)
        middle, after = (with_database(server, name) for name in (first, second))
        yield Prepared(
            folder,
            {FIRST: migrated_template, SECOND: first},
            {FIRST: outcome(middle), SECOND: outcome(after)},
            {FIRST: (before, states(middle)), SECOND: (states(middle), states(after))},
            counts,
        )


@pytest.fixture
def start(server: str, prepared: Prepared) -> Iterator[Callable[[Month], str]]:
    """Makes a database as it is before a month's load; its DSN."""
    with ExitStack() as stack:

        def make(month: Month) -> str:
            name = _create(server, template=prepared.template[month])
            stack.callback(_drop, server, name)
            return with_database(server, name)

        yield make
