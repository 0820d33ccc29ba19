from __future__ import annotations

import datetime as dt

import pytest

from discogs.dumps.errors import AddressInvalid
from discogs.dumps.names import DumpName, Layout, checked_base
from discogs.schema.entities import Entity, Month

HOSTILE = [
    "../../x",
    "/etc/passwd",
    "../discogs_20260701_labels.xml.gz",
    "discogs_20260701_labels.xml.gz/../../x",
    "discogs_20260701_labels.xml.gz\0",
    "discogs_20260701_labels.xml.gz\n",
    "discogs_20260701_labels.xml.gz ",
    "discogs_20261301_labels.xml.gz",
    "discogs_20260732_labels.xml.gz",
    "discogs_00000000_labels.xml.gz",
    "discogs_19990101_labels.xml.gz",
    "discogs_\u0662\u0660\u0662\u06660701_labels.xml.gz",
    "discogs_20260701_tracks.xml.gz",
    "DISCOGS_20260701_LABELS.XML.GZ",
    "discogs_20260701_" + "a" * 100_000 + ".xml.gz",
    "C:\\x",
    "",
]


@pytest.mark.parametrize(
    "name",
    [
        DumpName(dt.date(2026, 7, 1), Entity.LABELS),
        DumpName(dt.date(2019, 10, 3), None),
    ],
)
def test_a_name_reads_as_it_is_written(name: DumpName) -> None:
    assert DumpName.parse(str(name)) == name
    assert DumpName.parse_key(name.key) == name


@pytest.mark.parametrize("text", HOSTILE)
def test_other_names_are_not_parsed(text: str) -> None:
    assert DumpName.parse(text) is None
    assert DumpName.parse_key(f"data/2026/{text}") is None


@pytest.mark.parametrize(
    "key",
    [
        "discogs_20260701_labels.xml.gz",
        "data/2025/discogs_20260701_labels.xml.gz",
        "/data/2026/discogs_20260701_labels.xml.gz",
        "data/2026/../2026/discogs_20260701_labels.xml.gz",
    ],
)
def test_keys_in_other_folders_are_not_parsed(key: str) -> None:
    assert DumpName.parse_key(key) is None


def test_addresses_of_both_layouts() -> None:
    name = DumpName(dt.date(2026, 7, 1), Entity.RELEASES)
    base = "https://example.org/sub"
    assert Layout.DISCOGS.file_url(base, name) == (
        "https://example.org/sub/?download=data%2F2026%2Fdiscogs_20260701_releases.xml.gz"
    )
    assert Layout.S3.file_url(base, name) == (
        "https://example.org/sub/data/2026/discogs_20260701_releases.xml.gz"
    )
    assert Layout.DISCOGS.listing_url(base, Month(2026, 7)).endswith("?prefix=data%2F2026%2F")
    assert "discogs_202607" in Layout.S3.listing_url(base, Month(2026, 7))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data.discogs.com",
        "ftp://example.org",
        "file:///etc/passwd",
        "https://",
        "https://example.org/?a=b",
        "http://example.org:port",
        "http://[::1",
    ],
)
def test_an_invalid_address_is_an_error(text: str) -> None:
    with pytest.raises(AddressInvalid, match="is not an address of dumps"):
        checked_base(text)


def test_a_login_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(AddressInvalid, match="has a login") as caught:
        checked_base("https://me:secret@example.org")
    assert "secret" not in str(caught.value)
