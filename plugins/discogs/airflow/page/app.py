"""The page's web application, which Airflow mounts at ``/discogs``.

It is read-only. Every route, including static files and unknown addresses, requires a user whom
Airflow allows to read the DAG.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from discogs import __version__
from discogs.airflow.page.access import require_access
from discogs.airflow.page.api import api
from discogs.database.errors import DatabaseUnavailable
from discogs.errors import DiscogsError
from discogs.overview.reading import NotMigrated, QueryTooSlow

STATIC = Path(__file__).parent / "static"
_FILES = {path.name: path for path in STATIC.iterdir() if path.is_file()}

# The page loads only its own files, and only Airflow's UI may show it in a frame.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Data changes every second, and must not be shown from a cache after a logout.
    "Cache-Control": "private, no-cache",
}


def page_app() -> FastAPI:
    """The application, to be mounted by Airflow."""
    app = FastAPI(
        title="Discogs loads",
        summary="The loads of Discogs' monthly dumps into PostgreSQL. Read-only.",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        servers=[{"url": ".", "description": "relative to this document"}],
        dependencies=[Depends(require_access)],
    )
    app.middleware("http")(_with_headers)
    app.add_exception_handler(DiscogsError, _explained)
    app.add_exception_handler(AirflowNotFoundException, _explained)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.include_router(api, prefix="/api")

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return FileResponse(STATIC / "index.html")

    @app.get("/openapi.json", include_in_schema=False)
    def document() -> dict[str, Any]:
        return app.openapi()

    @app.get("/static/{name}", include_in_schema=False)
    def file(name: str) -> Response:
        if name not in _FILES:
            raise HTTPException(404, f"There is no file {name}.")
        return FileResponse(_FILES[name])

    @app.get("/{path:path}", include_in_schema=False)
    def nothing(path: str) -> Response:
        raise HTTPException(404, "There is nothing at this address.")

    return app


async def _with_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


async def _explained(request: Request, error: Exception) -> Response:
    """The answer in place of data: why there is none, and what to do."""
    reason, status = "refused", 503
    if isinstance(error, AirflowNotFoundException):
        reason = "no_connection"
    elif isinstance(error, NotMigrated):
        reason = "not_migrated"
    elif isinstance(error, QueryTooSlow):
        reason = "too_slow"
    elif isinstance(error, DatabaseUnavailable):
        reason = "unreachable"
    return JSONResponse({"detail": str(error), "reason": reason}, status)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == 401 and request.url.path.rstrip("/").endswith("/discogs"):
        return FileResponse(STATIC / "login.html", 401)
    return await http_exception_handler(request, error)
