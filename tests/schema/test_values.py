from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discogs.schema.values import name_id, parse_duration, parse_released


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1999-03-21", (1999, 3, 21)),
        ("1999-3-1", (1999, 3, 1)),
        ("1999-03-00", (1999, 3, None)),
        ("1999-00-00", (1999, None, None)),
        ("1999-03", (1999, 3, None)),
        ("1999", (1999, None, None)),
        ("20061014", (2006, 10, 14)),
        ("20061000", (2006, 10, None)),
        ("٢٠١٠", (2010, None, None)),
        ("2001-02-30", (2001, 2, None)),
        ("2000-02-29", (2000, 2, 29)),
        ("1900-02-29", (1900, 2, None)),
        ("1999-13-01", (1999, None, None)),
        ("0000-00-00", (None, None, None)),
        ("1980s", (None, None, None)),
        ("200?", (None, None, None)),
        ("1973-1974", (None, None, None)),
        ("May 1977", (None, None, None)),
        ("99", (None, None, None)),
        ("1999-03-21 ", (None, None, None)),
        ("²⁰¹⁰", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_the_parts_of_a_release_date_are_read(
    text: str, parts: tuple[int | None, int | None, int | None]
) -> None:
    assert parse_released(text) == parts


@given(st.dates(min_value=dt.date(1, 1, 1)))
def test_every_real_day_is_read(day: dt.date) -> None:
    assert parse_released(day.isoformat()) == (day.year, day.month, day.day)


@given(st.text(max_size=12))
def test_an_invalid_day_is_not_read(text: str) -> None:
    year, month, day = parse_released(text)
    if day is not None:
        assert year is not None
        assert month is not None
        dt.date(year, month, day)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4:45", 285),
        ("3:5", 185),
        ("0:00", 0),
        ("1:00:00", 3600),
        ("1:2:3", 3723),
        ("90:00", 5400),
        ("9999:00", 599940),
        ("٣:٤٥", 225),
        ("4.35", None),
        ("3'45", None),
        ("(4:10)", None),
        ("12", None),
        ("?", None),
        ("1:00:00:00", None),
        ("-1:00", None),
        ("", None),
    ],
)
def test_a_duration_is_read_if_it_is_a_time(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == (seconds,)


@given(st.text(alphabet="0123456789:٣ ", max_size=20))
def test_a_duration_fits_its_column(text: str) -> None:
    (seconds,) = parse_duration(text)
    assert seconds is None or 0 <= seconds < 2**31


def test_a_name_has_the_same_id_everywhere() -> None:
    # These ids are stored in databases: other values would not match their rows.
    assert name_id("Electronic") == 5497099397190154
    assert name_id("Folk, World, & Country") == 2952670565702813


@given(st.text())
def test_a_names_id_is_exact_as_a_float(name: str) -> None:
    assert 0 <= name_id(name) < 2**53
    assert int(float(name_id(name))) == name_id(name)
