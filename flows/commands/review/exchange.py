"""`slidesmith review push|pull`: Label Studio in place of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flows.commands.options import json_option, say
from flows.commands.review.place import desk_file, out_option

KEY_VARIABLE = "LABEL_STUDIO_API_KEY"


def _client(url: str) -> Any:
    from schemas.errors import InputError, MissingExtraError
    from tasks.settings import api_key

    try:
        from label_studio_sdk.client import LabelStudio
    except ImportError as error:
        remedy = "install the extra: pip install -c constraints.txt -e '.[labelstudio]'"
        raise MissingExtraError("push and pull need label-studio-sdk", remedy=remedy) from error
    key = api_key(KEY_VARIABLE)
    if not key:
        raise InputError(f"{KEY_VARIABLE} is not set", remedy="take the token from Label Studio's account page")
    connect: Any = LabelStudio
    return connect(base_url=url, api_key=key)


@click.command(name="push")
@click.option("--label-studio", "url", required=True, help="Address of the server, e.g. http://127.0.0.1:8080.")
@click.option("--project", default="Slidesmith review", show_default=True, help="Title of the project.")
@out_option
@json_option
def push(url: str, project: str, out: Path, as_json: bool) -> None:
    """Send the open items to Label Studio, without key, rationale, kind or flags; none is sent twice."""
    from tasks.review.desk import open_desk
    from tasks.review.label_studio import push_items

    with open_desk(desk_file(out)) as desk:
        number, sent, there = push_items(desk, _client(url), project)
    lines = [f"{sent} items sent to project {number}, {there} were there", f"{url.rstrip('/')}/projects/{number}"]
    say({"project": number, "sent": sent, "there": there}, as_json, lines)


@click.command(name="pull")
@click.option("--label-studio", "url", required=True, help="Address of the server.")
@click.option("--project", default="Slidesmith review", show_default=True, help="Title of the project.")
@out_option
@json_option
def pull(url: str, project: str, out: Path, as_json: bool) -> None:
    """Bring annotations back as events: the blind answer, then the decision; what is known already is left alone."""
    from tasks.review.decision_log import LOG, write_log
    from tasks.review.desk import open_desk
    from tasks.review.label_studio import pull_annotations

    desk_path = desk_file(out)
    with open_desk(desk_path) as desk:
        found = pull_annotations(desk, _client(url), project)
        write_log(desk, desk_path.with_name(LOG))
    lines = [f"{found['events']} new events of {found['annotations']} annotations, {len(found['refused'])} refused"]
    lines += [f"  {line}" for line in found["refused"]]
    say(found, as_json, lines)
