from __future__ import annotations

import datetime as dt
import itertools

import pytest

from discogs.dumps.errors import DumpIncomplete, DumpNotPublished, ListingUnreadable
from discogs.dumps.listing import DumpSet, Listed, choose, parse
from discogs.dumps.names import DumpName, Layout
from discogs.schema.entities import ENTITIES, Entity, Month

JULY = Month(2026, 7)


def listed(day: str, *names: str) -> list[Listed]:
    found = []
    for name in names:
        suffix = "txt" if name == "CHECKSUM" else "xml.gz"
        parsed = DumpName.parse(f"discogs_{day}_{name}.{suffix}")
        assert parsed is not None
        found.append(Listed(parsed))
    return found


def whole(day: str) -> list[Listed]:
    return listed(day, "labels", "artists", "masters", "releases", "CHECKSUM")


def chosen(items: list[Listed], *entities: Entity) -> DumpSet:
    return choose(JULY, items, lambda name: f"at:{name}", entities or ENTITIES)


@pytest.mark.parametrize("day", ["20260701", "20260715", "20260731"])
def test_a_set_of_any_day_is_found(day: str) -> None:
    found = chosen([*whole("20260601"), *whole(day), *whole("20260801")])
    assert found.dump_date == dt.datetime.strptime(day, "%Y%m%d").date()
    assert [file.entity for file in found.files] == list(Entity)
    assert found.file(Entity.LABELS).url == f"at:discogs_{day}_labels.xml.gz"
    assert [file.name for file in found.checksums] == [f"discogs_{day}_CHECKSUM.txt"]


def test_the_newest_complete_set_counts() -> None:
    later = listed("20260720", "labels", "artists", "masters", "releases")
    found = chosen([*later, *whole("20260701"), *whole("20260710")])
    assert found.dump_date == dt.date(2026, 7, 10)


def test_a_month_without_files_is_not_published() -> None:
    with pytest.raises(DumpNotPublished, match="2026-07 is not published"):
        chosen([*whole("20260601"), *whole("20250701")])


def test_a_set_without_its_marker_is_not_complete() -> None:
    with pytest.raises(DumpIncomplete) as caught:
        chosen(listed("20260701", "labels", "artists", "masters", "releases"))
    assert caught.value.lacking == ("discogs_20260701_CHECKSUM.txt",)
    assert "discogs_20260701_CHECKSUM.txt" in str(caught.value)


def test_every_missing_file_is_named() -> None:
    with pytest.raises(DumpIncomplete) as caught:
        chosen(listed("20260701", "labels", "masters", "CHECKSUM"))
    assert caught.value.lacking == (
        "discogs_20260701_artists.xml.gz",
        "discogs_20260701_releases.xml.gz",
    )


def test_a_set_of_some_entities_may_be_requested() -> None:
    items = listed("20260701", "artists", "masters", "releases", "CHECKSUM")
    found = chosen(items, Entity.RELEASES, Entity.ARTISTS)
    assert [file.entity for file in found.files] == [Entity.ARTISTS, Entity.RELEASES]


def test_a_month_split_over_two_days_is_combined() -> None:
    items = [
        *listed("20260703", "artists", "labels", "masters", "CHECKSUM"),
        *listed("20260710", "releases", "labels", "CHECKSUM"),
    ]
    found = chosen(items)
    assert found.dump_date == dt.date(2026, 7, 10)
    assert {str(file.entity): file.name[8:16] for file in found.files} == {
        "labels": "20260710",
        "artists": "20260703",
        "masters": "20260703",
        "releases": "20260710",
    }
    assert [file.name[8:16] for file in found.checksums] == ["20260703", "20260710"]


def test_only_missing_files_are_named() -> None:
    items = [
        *listed("20260701", "artists", "labels", "CHECKSUM"),
        *listed("20260711", "releases", "CHECKSUM"),
    ]
    with pytest.raises(DumpIncomplete) as caught:
        chosen(items)
    assert caught.value.lacking == ("discogs_20260711_masters.xml.gz",)


def test_a_marker_is_valid_for_files_of_earlier_days() -> None:
    items = [
        *listed("20260703", "masters", "releases"),
        *listed("20260710", "artists", "labels", "CHECKSUM"),
    ]
    found = chosen(items)
    assert [file.name[8:16] for file in found.files] == [
        "20260710",
        "20260710",
        "20260703",
        "20260703",
    ]
    assert [file.name[8:16] for file in found.checksums] == ["20260710"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::17])
def test_the_order_of_publication_does_not_matter(order: tuple[int, ...]) -> None:
    items = whole("20260701")
    for count in range(5):
        with pytest.raises(DumpNotPublished):
            chosen([items[index] for index in order[:count]])
    assert len(chosen([items[index] for index in order]).files) == 4


def test_a_day_without_a_marker_is_not_part_of_a_split_month() -> None:
    items = [
        *listed("20260703", "artists", "labels", "masters", "CHECKSUM"),
        *listed("20260710", "releases"),
    ]
    with pytest.raises(DumpIncomplete) as caught:
        chosen(items)
    assert caught.value.lacking == ("discogs_20260710_CHECKSUM.txt",)


def test_a_set_survives_json() -> None:
    found = chosen(whole("20260701"))
    assert DumpSet.from_dict(found.as_dict()) == found


PAGE = """<html><body><h2>Data</h2><pre>
<a href="?prefix=data%2F">../</a>
2026-07-01 19:17:09   388 B   <a href="?download=data%2F2026%2Fdiscogs_20260701_CHECKSUM.txt">x</a>
2026-07-01 19:17:09   10.4 GB   <a href="?download=data%2F2026%2Fdiscogs_20260701_releases.xml.gz">
discogs</a>
2026-07-01 19:17:09   1 B   <a href="?download=..%2F..%2Fx">..</a>
2026-07-01 19:17:09   1 B   <a href="?download=%2Fetc%2Fpasswd">..</a>
2026-07-01 19:17:09   1 B <a href="?download=data%2F2026%2Fdiscogs_20260701_labels.xml.gz%00">..</a>
2026-07-01 19:17:09   1 B   <a href="http://[bad/?download=x">..</a>
2026-07-01 19:17:09   1 B   <a>..</a>
2026-07-01 19:17:09   1 B   <a href="?download=data%2F2026%2F{long}">..</a>
</pre><a href="?download=data%2F2026%2Fdiscogs_20260701_masters.xml.gz">outside</a></body></html>
""".replace("{long}", "a" * 50_000)


def test_a_page_is_read_and_hostile_names_are_ignored() -> None:
    page = parse(Layout.DISCOGS, PAGE.encode(), "u")
    assert [(str(item.name), item.size, item.exact) for item in page.files] == [
        ("discogs_20260701_CHECKSUM.txt", 388, True),
        ("discogs_20260701_releases.xml.gz", int(10.4 * (1 << 30)), False),
    ]


BUCKET = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>
<Contents><Key>data/2026/discogs_20260701_labels.xml.gz</Key><Size>123</Size></Contents>
<Contents><Key>data/2026/discogs_20260701_CHECKSUM.txt</Key></Contents>
<Contents><Key>data/2026/../../x</Key><Size>1</Size></Contents>
<Contents><Key>/etc/passwd</Key><Size>1</Size></Contents>
<Contents></Contents></ListBucketResult>"""


def test_a_bucket_is_read_and_hostile_names_are_ignored() -> None:
    page = parse(Layout.S3, BUCKET.encode(), "u")
    assert [(str(item.name), item.size, item.exact) for item in page.files] == [
        ("discogs_20260701_labels.xml.gz", 123, True),
        ("discogs_20260701_CHECKSUM.txt", None, False),
    ]


BILLION = """<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>
<ListBucketResult><Contents><Key>&b;&c;</Key></Contents></ListBucketResult>"""


def test_entities_of_a_bucket_are_not_resolved() -> None:
    assert parse(Layout.S3, BILLION.encode(), "u").files == ()


@pytest.mark.parametrize(
    ("layout", "body"),
    [
        (Layout.DISCOGS, b"<html><h1>Maintenance</h1></html>"),
        (Layout.DISCOGS, b""),
        (Layout.DISCOGS, b"\x00\xff\x1f\x8b"),
        (Layout.DISCOGS, b"<pre>" + b" " * (9 << 20)),
        (Layout.S3, b"<html><pre></pre></html>"),
        (Layout.S3, b"<Error><Code>AccessDenied</Code></Error>"),
        (Layout.S3, b"not XML"),
        (Layout.S3, b""),
    ],
)
def test_a_page_that_is_not_a_listing_is_an_error(layout: Layout, body: bytes) -> None:
    with pytest.raises(ListingUnreadable, match="listing at u cannot be read"):
        parse(layout, body, "u")
