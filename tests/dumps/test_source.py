from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import time
from pathlib import Path

import pytest
import requests

from discogs.dumps.errors import (
    AddressInvalid,
    BrowserCheck,
    ChecksumFileInvalid,
    DumpIncomplete,
    DumpNotPublished,
    ListingUnreadable,
    RateLimited,
    RequestRefused,
    SourceError,
    TransferFailed,
)
from discogs.dumps.source import DumpSource
from discogs.sample import exchange
from discogs.schema.entities import Entity, Month
from tests import faults
from tests.dumps.conftest import JULY, QUICK, Open, write_dump

LISTING = "prefix="
LAYOUTS = pytest.mark.parametrize("layout", ["data.discogs.com", "s3"])


@LAYOUTS
def test_a_month_is_found_with_one_request(place: Open, folder: Path, layout: str) -> None:
    write_dump(folder, "20260615")
    at = place(layout)
    june = at.source.find(Month(2026, 6))
    assert june.dump_date == dt.date(2026, 6, 15)
    assert [request.target for request in at.mirror.seen] == [
        "/?prefix=data/2026/" if layout != "s3" else "/?list-type=2&prefix=data/2026/discogs_202606"
    ]
    labels = june.file(Entity.LABELS)
    assert labels.exact == (layout == "s3")
    assert labels.size == pytest.approx(60_000, rel=0.01)


@LAYOUTS
def test_what_is_found_can_be_fetched(
    place: Open, folder: Path, session: requests.Session, layout: str
) -> None:
    at = place(layout)
    for file in at.source.find(JULY).files:
        assert session.get(file.url).content == (folder / file.name).read_bytes()


@LAYOUTS
def test_published_digests_are_read(place: Open, folder: Path, layout: str) -> None:
    write_dump(folder, "20260601")
    at = place(layout)
    found = at.source.checksums(at.source.find(JULY))
    assert set(found) == {f"discogs_20260701_{entity}.xml.gz" for entity in Entity}
    assert found[at.name] == at.digest


@LAYOUTS
def test_a_month_that_is_not_published_is_an_error(place: Open, layout: str) -> None:
    with pytest.raises(DumpNotPublished, match="2026-08 is not published") as caught:
        place(layout).source.find(Month(2026, 8))
    assert caught.value.transient


@LAYOUTS
def test_a_month_of_another_year_is_an_error(place: Open, layout: str) -> None:
    with pytest.raises(DumpNotPublished):
        place(layout).source.find(Month(2025, 7))


@LAYOUTS
def test_a_set_that_is_still_being_uploaded_is_an_error(
    place: Open, folder: Path, layout: str
) -> None:
    (folder / "discogs_20260701_releases.xml.gz").unlink()
    (folder / "discogs_20260701_CHECKSUM.txt").unlink()
    with pytest.raises(DumpIncomplete) as caught:
        place(layout).source.find(JULY)
    assert caught.value.lacking == (
        "discogs_20260701_releases.xml.gz",
        "discogs_20260701_CHECKSUM.txt",
    )


def test_a_bucket_is_read_page_by_page(place: Open, session: requests.Session) -> None:
    at = place("s3")
    pages = [
        session.get(f"{at.mirror.url}/?list-type=2&prefix=data/2026/&max-keys={size}").content
        for size in (2, 1000)
    ]
    at.mirror.add(faults.content(pages[0]).on(LISTING))
    assert len(at.source.find(JULY).files) == 4
    assert at.mirror.seen[-1].target.endswith(
        "continuation-token=data/2026/discogs_20260701_artists.xml.gz"
    )


@LAYOUTS
@pytest.mark.parametrize(
    "refusal",
    [faults.status(403), faults.status(404), faults.html()],
    ids=["403", "404", "a page"],
)
def test_without_a_listing_the_files_of_the_1st_are_requested(
    place: Open, layout: str, refusal: exchange.Fault
) -> None:
    at = place(layout, [refusal.on(LISTING).repeated(None)])
    found = at.source.find(JULY)
    assert found.dump_date == dt.date(2026, 7, 1)
    assert len(found.files) == 4
    assert [request.target.rpartition("_")[2] for request in at.mirror.seen][1:] == [
        "CHECKSUM.txt",
        "labels.xml.gz",
        "artists.xml.gz",
        "masters.xml.gz",
        "releases.xml.gz",
    ]


# What the listing is answered with, what the CHECKSUM, and what that means.
NEITHER = [
    (faults.status(403), faults.status(404), DumpNotPublished, "its listing is refused"),
    (faults.status(403), faults.status(403), RequestRefused, "network is blocked"),
    (faults.status(403), faults.html(), RequestRefused, "network is blocked"),
    (faults.status(403), faults.status(401), RequestRefused, "answered 401.*login"),
    (faults.status(404), faults.status(404), AddressInvalid, "neither a listing nor"),
    (faults.status(404), faults.status(403), AddressInvalid, "neither a listing nor"),
    (faults.status(404), faults.html(), AddressInvalid, "neither a listing nor"),
    (faults.html(), faults.status(404), AddressInvalid, "neither a listing nor"),
    (faults.html(), faults.html(), ListingUnreadable, "cannot be read"),
    (faults.html(b"Checking your browser"), faults.html(), BrowserCheck, "browser check"),
    (faults.html(b"Just a moment"), faults.status(404), BrowserCheck, "browser check"),
]


@LAYOUTS
@pytest.mark.parametrize(("first", "second", "error", "said"), NEITHER)
def test_the_error_when_neither_listing_nor_checksums_can_be_read(
    place: Open,
    layout: str,
    first: exchange.Fault,
    second: exchange.Fault,
    error: type[SourceError],
    said: str,
) -> None:
    at = place(layout, [first.on(LISTING).repeated(None), second.on("CHECKSUM").repeated(None)])
    with pytest.raises(error, match=said) as caught:
        at.source.find(JULY)
    assert type(caught.value) is error
    assert caught.value.transient == (error is DumpNotPublished)
    assert len(at.mirror.seen) == 2


def test_a_login_that_is_refused_ends_at_once(place: Open) -> None:
    at = place("s3", [faults.status(401).repeated(None)])
    with pytest.raises(RequestRefused, match="asks for a login"):
        at.source.find(JULY)
    assert len(at.mirror.seen) == 1


@LAYOUTS
def test_a_listing_without_one_link_has_nothing_published(
    place: Open, folder: Path, layout: str
) -> None:
    for path in folder.iterdir():
        path.unlink()
    at = place(layout)
    with pytest.raises(DumpNotPublished, match="the listing has none of its files"):
        at.source.find(JULY)
    assert len(at.mirror.seen) == 1


def test_a_file_that_only_the_checksum_has_is_not_published(place: Open, folder: Path) -> None:
    (folder / "discogs_20260701_releases.xml.gz").unlink()
    for at in (place("s3"), place("data.discogs.com")):
        with pytest.raises(DumpIncomplete) as caught:
            at.source.find(JULY)
        assert caught.value.lacking == ("discogs_20260701_releases.xml.gz",)
        at.mirror.add(faults.status(403).on(LISTING))
        with pytest.raises(DumpIncomplete) as caught:
            at.source.find(JULY)
        assert caught.value.lacking == ("discogs_20260701_releases.xml.gz",)


def test_without_a_listing_the_checksum_file_lists_the_files(place: Open, folder: Path) -> None:
    some = (Entity.ARTISTS, Entity.RELEASES)
    write_dump(folder, "20260701", some)
    at = place("s3", [faults.status(403).on(LISTING).repeated(None)])
    with pytest.raises(DumpIncomplete) as caught:
        at.source.find(JULY)
    assert caught.value.lacking == (
        "discogs_20260701_labels.xml.gz",
        "discogs_20260701_masters.xml.gz",
    )
    assert [file.entity for file in at.source.find(JULY, some).files] == list(some)


@LAYOUTS
def test_a_rate_limit_is_an_error_without_further_requests(place: Open, layout: str) -> None:
    at = place(layout, [faults.status(429, retry_after="3574").repeated(None)])
    with pytest.raises(RateLimited, match=r"in 3574 s \(60 minutes\).*all machines") as caught:
        at.source.find(JULY)
    assert caught.value.retry_after == 3574
    assert caught.value.transient
    assert len(at.mirror.seen) == 1


def test_a_rate_limit_without_a_time_is_an_error(place: Open) -> None:
    at = place(faults=[faults.status(429).repeated(None)])
    with pytest.raises(RateLimited, match="Try again later") as caught:
        at.source.find(JULY)
    assert caught.value.retry_after is None
    assert len(at.mirror.seen) == 1


def test_a_short_retry_after_is_waited_for(place: Open) -> None:
    at = place(faults=[faults.status(503, retry_after="1")])
    started = time.monotonic()
    assert len(at.source.find(JULY).files) == 4
    assert time.monotonic() - started >= 1
    assert len(at.mirror.seen) == 2


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(503),
        faults.status(500),
        faults.cut(50),
        faults.stall(20, 1),
        faults.reset(),
        faults.reset_on_connect(),
    ],
    ids=lambda fault: fault.name,
)
def test_a_transient_fault_of_the_listing_is_retried(place: Open, fault: exchange.Fault) -> None:
    at = place(faults=[fault])
    assert len(at.source.find(JULY).files) == 4
    assert at.mirror.count(LISTING) == (1 if fault.on_connect else 2)


def test_a_permanent_fault_is_an_error_after_all_attempts(place: Open) -> None:
    at = place(faults=[faults.status(503).repeated(None)])
    with pytest.raises(TransferFailed, match=r"5 attempts\): the server answered 503") as caught:
        at.source.find(JULY)
    assert (caught.value.attempts, len(at.mirror.seen)) == (5, 5)
    assert caught.value.transient


def test_a_slow_listing_has_a_time_limit(place: Open) -> None:
    limits = dataclasses.replace(QUICK, attempts=1)
    at = place(faults=[faults.slow(200, chunk=20)], limits=limits)
    started = time.monotonic()
    with pytest.raises(TransferFailed, match="longer than the time limit"):
        at.source.find(JULY)
    assert time.monotonic() - started < 3


def test_another_refusal_is_an_error(place: Open) -> None:
    at = place(faults=[faults.status(400).repeated(None)])
    with pytest.raises(RequestRefused, match="answered 400"):
        at.source.find(JULY)
    assert len(at.mirror.seen) == 1


def test_every_request_has_a_user_agent(place: Open, session: requests.Session) -> None:
    at = place("data.discogs.com")
    at.source.checksums(at.source.find(JULY))
    with requests.Session() as bare:
        DumpSource(bare, at.mirror.url, limits=QUICK).find(JULY)
        del bare.headers["User-Agent"]
        DumpSource(bare, at.mirror.url, limits=QUICK).find(JULY)
    agents = [request.headers["user-agent"] for request in at.mirror.seen]
    assert agents[:2] == ["tests/1", "tests/1"]
    assert all(agent.startswith("airflow-discogs/") for agent in agents[2:])
    assert len(agents) == 4


@pytest.mark.parametrize(
    "text",
    [
        b"%s ../../x" % (b"a" * 64),
        b"%s /etc/passwd" % (b"a" * 64),
        b"%s discogs_20260701_labels.xml.gz\0" % (b"a" * 64),
        b"%s discogs_20260701_%s.xml.gz" % (b"a" * 64, b"x" * 5000),
        b"a" * 1_000_000,
    ],
    ids=["up", "absolute", "NUL", "very long", "endless"],
)
def test_a_hostile_checksum_file_is_refused(place: Open, text: bytes) -> None:
    at = place(faults=[faults.content(text).on("CHECKSUM")])
    with pytest.raises(ChecksumFileInvalid, match="not a list of checksums"):
        at.source.checksums(at.source.find(JULY))


def test_a_page_instead_of_the_checksum_file_is_quoted(place: Open) -> None:
    at = place(faults=[faults.html(b"Sorry").on("CHECKSUM")])
    with pytest.raises(ChecksumFileInvalid, match="<!DOCTYPE html>"):
        at.source.checksums(at.source.find(JULY))


def test_a_checksum_file_without_a_file_is_an_error(place: Open, folder: Path) -> None:
    marker = folder / "discogs_20260701_CHECKSUM.txt"
    marker.write_text("".join(marker.read_text().splitlines(keepends=True)[1:]))
    at = place()
    with pytest.raises(ChecksumFileInvalid, match=r"it lacks discogs_20260701_labels\.xml\.gz"):
        at.source.checksums(at.source.find(JULY))


def test_a_compressed_listing_is_not_decompressed(place: Open) -> None:
    import gzip

    bomb = gzip.compress(b"<pre>" + b" " * 50_000_000)
    at = place("data.discogs.com", [faults.content(bomb, Content_Encoding="gzip").on(LISTING)])
    # Read as it is, it is no listing, so that the direct address is asked.
    assert len(at.source.find(JULY).files) == 4
    assert at.mirror.count("CHECKSUM") == 1


@LAYOUTS
def test_a_split_month_with_one_checksum_file_is_checked_against_that(
    place: Open, folder: Path, layout: str
) -> None:
    write_dump(folder, "20191003", (Entity.MASTERS, Entity.RELEASES))
    write_dump(folder, "20191010", (Entity.LABELS, Entity.ARTISTS))
    earlier = folder / "discogs_20191003_CHECKSUM.txt"
    with (folder / "discogs_20191010_CHECKSUM.txt").open("a") as later:
        later.write(earlier.read_text())
    earlier.unlink()
    at = place(layout)
    found = at.source.find(Month(2019, 10))
    assert found.dump_date == dt.date(2019, 10, 10)
    digests = at.source.checksums(found)
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in digests} == (
        digests
    )
    assert {name[8:16] for name in digests} == {"20191003", "20191010"}
    assert at.mirror.count("CHECKSUM") == 1


def test_the_digests_of_a_split_month_are_those_of_each_files_day(
    place: Open, folder: Path
) -> None:
    for day, entities in (
        ("20191003", (Entity.LABELS, Entity.ARTISTS, Entity.MASTERS)),
        ("20191010", (Entity.RELEASES,)),
    ):
        write_dump(folder, day, entities)
    at = place()
    found = at.source.find(Month(2019, 10))
    digests = at.source.checksums(found)
    assert sorted(digests) == [
        "discogs_20191003_artists.xml.gz",
        "discogs_20191003_labels.xml.gz",
        "discogs_20191003_masters.xml.gz",
        "discogs_20191010_releases.xml.gz",
    ]
    assert at.mirror.count("CHECKSUM") == 2
