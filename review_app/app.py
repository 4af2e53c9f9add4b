"""The application: what is served, by whom, and what happens when something is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from review_app.access import Connections, SignInNeededError
from review_app.deep_zoom import SlideShelf
from review_app.guard import BodyTooLargeError, Guard
from review_app.pages import STATIC, message, render, version
from review_app.routes import admin, entry, images, items, queue
from review_app.settings import PageSettings
from review_app.throttle import Leases, Throttle
from schemas.errors import InputError, ReviewConflictError

_THREADS = 8
_TITLES = {403: "Not allowed", 404: "Not here", 405: "Not this way", 409: "Not now", 422: "Not understood"}


def create_app(settings: PageSettings, entry_token: str | None = None) -> FastAPI:
    """Return the application.

    Args:
        settings: what the server must know.
        entry_token: a secret that signs the person at this machine in, once, as an administrator; for loopback only.
    """
    app = FastAPI(title="Slidesmith review", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.settings = settings
    app.state.connections = Connections(settings)
    app.state.slides = SlideShelf(settings.slides_root)
    app.state.throttle = Throttle()
    app.state.leases = Leases()
    app.state.entry_token = entry_token
    for routes in (entry, queue, items, images, admin):
        app.include_router(routes.router)
    app.mount(f"/static/{version()}", _Lasting(directory=STATIC), name="static")
    _add_handlers(app)
    app.add_middleware(Guard, hosts=settings.hosts, max_body_bytes=settings.max_body_bytes)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # More threads than this only wait for one another: one writes, the others render.
    current_default_thread_limiter().total_tokens = _THREADS
    yield
    app.state.connections.close()


class _Lasting(StaticFiles):
    """Static files whose address carries their version; browsers keep them."""

    def file_response(self, *args: object, **named: object) -> Response:
        response = super().file_response(*args, **named)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(SignInNeededError)
    def sign_in(request: Request, error: Exception) -> Response:
        if request.method != "GET" or "image" in request.headers.get("accept", "text/html").split(",")[0]:
            return PlainTextResponse("Sign in first.", 401)
        if request.headers.get("sec-fetch-site") == "cross-site":
            # A link from another site, such as Prefect's: the browser keeps the strict cookie until we ask ourselves.
            return render(request, "arrive.html", here=f"{request.url.path}?{request.url.query}")
        return RedirectResponse("/login", 303)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 500)
        text = str(getattr(error, "detail", ""))
        return message(request, status, _TITLES.get(status, "Something is wrong"), text)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: Exception) -> Response:
        places = {item["loc"][0] for item in error.errors()} if isinstance(error, RequestValidationError) else set()
        if "path" in places:
            return message(request, 404, _TITLES[404], "There is no such page.")
        return message(request, 422, _TITLES[422], "The page sent something that this server does not understand.")

    @app.exception_handler(ReviewConflictError)
    def conflict(request: Request, error: Exception) -> Response:
        return message(request, 409, _TITLES[409], str(error))

    @app.exception_handler(InputError)
    def unusable(request: Request, error: Exception) -> Response:
        return message(request, 422, _TITLES[422], str(error))

    @app.exception_handler(BodyTooLargeError)
    def too_large(request: Request, error: Exception) -> Response:
        return PlainTextResponse("That is more than this page takes.", 413)
