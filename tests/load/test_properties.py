"""Properties that hold for all months, orders, numbers of shards and parsers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from discogs.load.stage import Sizes
from discogs.schema.entities import Month
from tests.conftest import new_database
from tests.content import difference, digests, staging_tables
from tests.load.conftest import MONTHS, load

pytestmark = pytest.mark.slow

Fresh = Callable[[], str]


def test_the_same_month_again_changes_no_row(dumps: Path, fresh: Fresh) -> None:
    dsn = fresh()
    load(dsn, dumps, MONTHS[0])
    load(dsn, dumps, MONTHS[1])
    before = digests(dsn)
    with psycopg.connect(dsn) as conn:
        feed = conn.execute("SELECT count(*) FROM discogs.entity_changes").fetchone()
    report = load(dsn, dumps, MONTHS[1])
    assert digests(dsn) == before
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT count(*) FROM discogs.entity_changes").fetchone() == feed
    for entity in report.entities:
        assert entity.unchanged + entity.rejected == entity.read
        assert entity.rows == 0


def test_an_older_month_again_changes_no_row(dumps: Path, fresh: Fresh) -> None:
    dsn = fresh()
    for month in MONTHS:
        load(dsn, dumps, month)
    before = digests(dsn)
    load(dsn, dumps, MONTHS[0])
    load(dsn, dumps, MONTHS[1])
    assert digests(dsn) == before


def test_a_load_leaves_no_staging_table(dumps: Path, fresh: Fresh) -> None:
    dsn = fresh()
    load(dsn, dumps, MONTHS[0])
    load(dsn, dumps, MONTHS[1])
    assert staging_tables(dsn) == []


@pytest.fixture(scope="module")
def in_order(dumps: Path, server: str, migrated_template: str) -> object:
    """The content after loading the three months in order."""
    with new_database(server, template=migrated_template) as dsn:
        for month in MONTHS:
            load(dsn, dumps, month)
        yield dsn


@pytest.mark.parametrize(
    "order",
    [order for order in itertools.permutations(MONTHS) if list(order) != MONTHS],
    ids=lambda order: "-".join(str(month.month) for month in order),
)
def test_months_in_any_order_end_in_the_same_content(
    dumps: Path, fresh: Fresh, in_order: str, order: tuple[Month, ...]
) -> None:
    dsn = fresh()
    for month in order:
        load(dsn, dumps, month)
    assert difference(dsn, in_order) == []


@pytest.mark.parametrize("shards", [2, 3])
def test_any_number_of_shards_ends_in_the_same_content(
    dumps: Path, fresh: Fresh, in_order: str, shards: int
) -> None:
    dsn = fresh()
    for month in MONTHS:
        load(dsn, dumps, month, shards=shards)
    assert difference(dsn, in_order) == []


def test_the_lxml_parser_gives_the_same_content(dumps: Path, fresh: Fresh, in_order: str) -> None:
    dsn = fresh()
    for month in MONTHS:
        load(dsn, dumps, month, engine="careful")
    assert difference(dsn, in_order) == []


def test_block_and_flush_sizes_make_no_difference(dumps: Path, fresh: Fresh, in_order: str) -> None:
    dsn = fresh()
    for month in MONTHS:
        load(dsn, dumps, month, Sizes(block=20_000, flush=50_000), workers=3)
    assert difference(dsn, in_order) == []


def test_a_first_load_that_is_merged_ends_like_one_that_is_swapped_in(
    dumps: Path, fresh: Fresh, in_order: str
) -> None:
    dsn = fresh()
    with psycopg.connect(dsn) as conn:
        # A materialized view depends on the tables, so they cannot be replaced.
        for table in ("labels", "artists", "masters", "releases"):
            view = f"CREATE MATERIALIZED VIEW public.my_{table}"
            conn.execute(f"{view} AS SELECT id FROM discogs.{table}")
    for number, month in enumerate(MONTHS):
        report = load(dsn, dumps, month)
        assert not any(entity.first_load for entity in report.entities), number
    assert difference(dsn, in_order) == []


def test_a_first_load_is_swapped_in(dumps: Path, fresh: Fresh) -> None:
    report = load(fresh(), dumps, MONTHS[0])
    assert all(entity.first_load for entity in report.entities)
