"""The replies of the two servers of dumps: data.discogs.com and the S3 bucket."""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import html
import re
import urllib.parse
import xml.sax.saxutils
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from discogs.sample.exchange import Reply, Request
from discogs.schema.entities import Entity

_NAME = re.compile(
    rf"discogs_([0-9]{{4}})[0-9]{{4}}_(?:(?:{'|'.join(map(str, Entity))})\.xml\.gz|CHECKSUM\.txt)"
)
_CHUNK = 1 << 18
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Discogs Data</title></head>\n<body>%s</body></html>\n"

Hidden = Callable[[str], bool]
_RANGE = re.compile(r"bytes=(?:([0-9]+)-([0-9]*)|-([0-9]+))")


@dataclass(frozen=True)
class _File:
    key: str
    path: Path
    size: int
    modified: dt.datetime
    etag: str


def _files(folder: Path, hidden: Hidden) -> list[_File]:
    """The dump files in the folder, in the order of their keys."""
    found = []
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is not None and path.is_file() and not hidden(path.name):
            found.append(_file(path, match[1]))
    return sorted(found, key=lambda item: item.key)


def _file(path: Path, year: str) -> _File:
    stat = path.stat()
    # As on the real servers, the ETag is not the MD5 of the content.
    etag = hashlib.sha1(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()
    modified = dt.datetime.fromtimestamp(stat.st_mtime, dt.timezone.utc)
    return _File(f"data/{year}/{path.name}", path, stat.st_size, modified, f'"{etag}-2"')


def _find(folder: Path, key: str, hidden: Hidden) -> _File | None:
    """The file of a key such as ``data/2026/discogs_20260701_labels.xml.gz``."""
    year, _, name = key.removeprefix("data/").partition("/")
    match = _NAME.fullmatch(name)
    path = folder / name
    if not key.startswith("data/") or match is None or match[1] != year:
        return None
    if not path.is_file() or hidden(name):
        return None
    return _file(path, year)


def _read(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a file from ``start``, up to but not including ``end``."""
    with path.open("rb") as opened:
        opened.seek(start)
        left = end - start
        while left > 0 and (chunk := opened.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _shown(size: int) -> str:
    """A size as data.discogs.com writes it, such as ``388 B`` or ``10.4 GB``."""
    value, units = float(size), ["B", "KB", "MB", "GB", "TB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{size} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def _page(text: str) -> bytes:
    return _PAGE % text.encode()


def _reply(status: int, body: bytes, content_type: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    stated = {"Content-Type": content_type, "Content-Length": str(len(body)), **named}
    return Reply(status, stated, iter([body]))


def _query(request: Request) -> dict[str, str]:
    query = urllib.parse.urlsplit(request.headers[":raw"]).query
    return dict(urllib.parse.parse_qsl(query, keep_blank_values=True))


def _discogs(folder: Path, request: Request, hidden: Hidden, _range: bool) -> Reply:
    """The reply of data.discogs.com."""
    query = _query(request)
    if not request.headers.get("user-agent"):
        return _reply(403, _page("<h1>403 Forbidden</h1>"), "text/html")
    if "download" in query:
        file = _find(folder, query["download"], hidden)
        if file is not None:
            name = file.path.name
            text = name.endswith(".txt")
            headers = {
                "Content-Type": "text/plain" if text else "application/gzip",
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Length": str(file.size),
                "Last-Modified": email.utils.format_datetime(file.modified, usegmt=True),
                "ETag": file.etag,
            }
            if request.method == "HEAD":
                del headers["Content-Length"]
            return Reply(200, headers, _read(file.path, 0, file.size))
    prefix = query.get("prefix", "data/")
    rows: list[str] = []
    years = set()
    for file in _files(folder, hidden):
        if not file.key.startswith(prefix):
            continue
        rest = file.key[len(prefix) :]
        if "/" in rest:
            years.add(prefix + rest.partition("/")[0] + "/")
            continue
        link = "?download=" + urllib.parse.quote(file.key, safe="")
        name = html.escape(file.path.name)
        rows.append(
            f'{file.modified:%Y-%m-%d %H:%M:%S}   {_shown(file.size)}   <a href="{link}">{name}</a>'
        )
    folders = [
        f'<a href="?prefix={urllib.parse.quote(year, safe="")}">{html.escape(year)}</a>'
        for year in sorted(years)
    ]
    listing = "\n".join([*folders, *rows])
    return _reply(200, _page(f"<h2>Discogs Data</h2>\n<pre>{listing}\n</pre>"), "text/html")


def _error(status: int, code: str, text: str) -> Reply:
    body = f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{code}</Code>"
    body += f"<Message>{text}</Message></Error>"
    return _reply(status, body.encode(), "application/xml")


def _s3(folder: Path, request: Request, hidden: Hidden, with_range: bool) -> Reply:
    """The reply of the S3 bucket."""
    path = request.target.partition("?")[0].lstrip("/")
    if not path:
        return _s3_listing(folder, _query(request), hidden)
    file = _find(folder, path, hidden)
    if file is None:
        return _error(404, "NoSuchKey", "The specified key does not exist.")
    start, end = 0, file.size
    headers = {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "ETag": file.etag,
        "Last-Modified": email.utils.format_datetime(file.modified, usegmt=True),
    }
    match = _RANGE.fullmatch(request.range or "")
    condition = request.headers.get("if-range")
    if match is not None and with_range and condition in (None, file.etag):
        if match[3] is not None:
            start = max(0, file.size - int(match[3]))
        else:
            start = int(match[1])
            end = min(file.size, int(match[2]) + 1 if match[2] else file.size)
        if start >= end:
            refused = _error(416, "InvalidRange", "The requested range is not satisfiable")
            refused.headers["Content-Range"] = f"bytes */{file.size}"
            return refused
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    headers["Content-Length"] = str(end - start)
    status = 206 if "Content-Range" in headers else 200
    return Reply(status, headers, _read(file.path, start, end))


def _s3_listing(folder: Path, query: dict[str, str], hidden: Hidden) -> Reply:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    try:
        limit = min(1000, int(query.get("max-keys", "1000")))
    except ValueError:
        return _error(400, "InvalidArgument", "max-keys is not a number")
    after = query.get("continuation-token") or query.get("start-after") or query.get("marker") or ""
    escape = xml.sax.saxutils.escape
    rows: list[str] = []
    shared: set[str] = set()
    last, truncated = "", False
    for file in _files(folder, hidden):
        if not file.key.startswith(prefix):
            continue
        head, found, _ = file.key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        name = prefix + head + found if found else file.key
        if name <= after or name in shared:
            continue
        if len(rows) == limit:
            truncated = True
            break
        last = name
        if found:
            shared.add(name)
            rows.append(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>")
            continue
        rows.append(
            f"<Contents><Key>{escape(name)}</Key>"
            f"<LastModified>{file.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(file.etag)}</ETag><Size>{file.size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    head = f"<Name>discogs-data-dumps</Name><Prefix>{escape(prefix)}</Prefix>"
    head += f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{str(truncated).lower()}</IsTruncated>"
    if truncated:
        tag = "NextContinuationToken" if query.get("list-type") == "2" else "NextMarker"
        head += f"<{tag}>{escape(last)}</{tag}>"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{head}{''.join(rows)}</ListBucketResult>"
    )
    return _reply(200, body.encode(), "application/xml")


ANSWERS = {"data.discogs.com": _discogs, "s3": _s3}
"""The function that answers a request, by layout; see
:class:`~discogs.sample.exchange.Exchange`."""
