from __future__ import annotations

import pytest

from discogs.dumps.checksums import parse
from discogs.dumps.errors import ChecksumFileInvalid

A, B = "a" * 64, "b" * 64
LABELS, ARTISTS = "discogs_20260701_labels.xml.gz", "discogs_20260701_artists.xml.gz"


@pytest.mark.parametrize(
    "text",
    [
        f"{A} {LABELS}\n{B} {ARTISTS}\n",
        f"{B} {ARTISTS}\n{A} {LABELS}",
        f"{A}  {LABELS}\n{B}  {ARTISTS}\n",
        f"{A} *{LABELS}\n{B} *{ARTISTS}\n",
        f"{A}\t{LABELS}\r\n\r\n{B} {ARTISTS}  \r\n",
        f"{A.upper()} {LABELS}\n{B} {ARTISTS}\n{A} {LABELS}\n",
    ],
    ids=["one space", "any order", "two spaces", "star", "CRLF and tab", "upper case, twice"],
)
def test_every_form_is_read(text: str) -> None:
    assert parse("x", text.encode()) == {LABELS: A, ARTISTS: B}


def test_an_unknown_file_is_ignored() -> None:
    text = f"{A} {LABELS}\n{B} discogs_20260701_tracks.xml.gz\n"
    assert parse("x", text.encode()) == {LABELS: A}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "names no file"),
        (b"<!DOCTYPE html><html>", "line 1 is '<!DOCTYPE html><html>'"),
        (f"{A} ../../x".encode(), "names '../../x'"),
        (f"{A} /etc/passwd".encode(), "names '/etc/passwd'"),
        (f"{A} {LABELS}\0".encode(), "line 1"),
        (f"{A} ".encode() + b"x" * 10_000, "line 1"),
        (f"{A} {LABELS}\n".encode() * 1000, "longer than"),
        (f"{A[1:]} {LABELS}".encode(), "line 1"),
        (f"{A}{LABELS}".encode(), "line 1"),
        (f"{A} {LABELS} {LABELS}".encode(), "line 1"),
        (f"{A} {LABELS}\n{B} {LABELS}".encode(), "two digests"),
        (b"\x1f\x8b\xff", "starts with"),
        (f"{A} {LABELS}\n".encode("utf-16"), "starts with"),
    ],
)
def test_anything_else_is_an_error(data: bytes, told: str) -> None:
    with pytest.raises(ChecksumFileInvalid) as caught:
        parse("discogs_20260701_CHECKSUM.txt", data)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 400
