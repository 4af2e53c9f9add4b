"""`slidesmith review serve`: the annotators' page."""

from __future__ import annotations

import ipaddress
import secrets
from pathlib import Path
from typing import Any

import click

from flows.commands.review.place import EXTRA, desk_file, out_option


@click.command(name="serve")
@out_option
@click.option("--slides", type=click.Path(path_type=Path), help="Folder of the manifest.  [default: OUT/input]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8077, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--name", "names", multiple=True, help="Further names by which the page is called, e.g. review.example.org."
)
@click.option("--cert", type=click.Path(path_type=Path), help="TLS certificate (PEM).")
@click.option("--key", type=click.Path(path_type=Path), help="Its private key (PEM).")
@click.option("--behind-tls", is_flag=True, help="A reverse proxy on this machine speaks TLS.")
@click.option("--user-header", help="Header in which that proxy names the signed-in user, e.g. X-Remote-User.")
@click.option("--proxy", "proxies", multiple=True, help="Addresses of the proxy.  [default: this machine's]")
def serve(
    out: Path,
    slides: Path | None,
    host: str,
    port: int,
    names: tuple[str, ...],
    cert: Path | None,
    key: Path | None,
    behind_tls: bool,
    user_header: str | None,
    proxies: tuple[str, ...],
) -> None:
    """Serve the annotators' page for the run in OUT.

    On this machine alone (the default) the first person enters through a link that is printed once. For other machines
    add users first (`slidesmith review users add NAME`) and give --cert and --key, or put a proxy with TLS in front.
    """
    from schemas.errors import InputError, MissingExtraError
    from tasks.review.decision_log import LOG, collect_log

    try:
        import uvicorn

        from review_app.app import create_app
        from review_app.settings import LOOPBACK, PageSettings
    except ImportError as error:
        raise MissingExtraError("the annotators' page needs argon2-cffi and uvicorn", remedy=EXTRA) from error
    desk = desk_file(out)
    local = _is_loopback(host)
    _check_exposure(desk, local, cert is not None, behind_tls, user_header)
    if bool(cert) != bool(key):
        raise InputError("--cert and --key go together", remedy="give both")
    root = slides or out / "input"
    settings = PageSettings(
        desk=desk,
        log=desk.with_name(LOG),
        slides_root=root if root.is_dir() else None,
        hosts=(*LOOPBACK, *names, *(() if local else (host,))),
        secure_cookies=cert is not None or behind_tls,
        user_header=user_header,
        proxies=proxies or (("127.0.0.1", "::1") if behind_tls or user_header else ()),
    )
    collect_log(desk.parent)  # a log that is another desk's stops the server, not the first reader
    token = secrets.token_urlsafe(24) if local and not user_header and not behind_tls else None
    app = create_app(settings, token)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=cert,
            ssl_keyfile=key,
            timeout_graceful_shutdown=5,
        )
    )
    _run(server, host, cert is not None, token)


def _run(server: Any, host: str, tls: bool, token: str | None) -> None:
    import asyncio

    async def run() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.02)
        if server.started:
            port = server.servers[0].sockets[0].getsockname()[1]
            shown = f"[{host}]" if ":" in host else host
            address = f"{'https' if tls else 'http'}://{shown}:{port}"
            click.echo(f"{address}/enter?token={token}  (enter once by this link)" if token else f"{address}/")
            click.echo("Ctrl-C ends it; nothing is lost.")
        await serving

    asyncio.run(run())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_exposure(desk: Path, local: bool, tls: bool, behind_tls: bool, user_header: str | None) -> None:
    from review_app.accounts import users
    from schemas.errors import InputError
    from tasks.review.desk import open_desk

    if local:
        return
    if not tls and not behind_tls:
        raise InputError(
            "other machines would send passwords in clear", remedy="give --cert and --key, or --behind-tls with a proxy"
        )
    with open_desk(desk) as connection:
        named = [user for user in users(connection) if user.active]
    if not named:
        raise InputError("nobody may sign in yet", remedy="add users first: slidesmith review users add NAME")
    if user_header and not behind_tls:
        raise InputError(
            "--user-header is for a proxy", remedy="say --behind-tls too, and let nobody pass the proxy by"
        )
