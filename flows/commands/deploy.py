"""`slidesmith deploy`: register pools, limits, automations and deployments with a Prefect server."""

from __future__ import annotations

import click

from flows.commands.options import json_option, quiet_prefect, say


@click.command(name="deploy")
@json_option
def command(as_json: bool) -> None:
    """Register what prefect.yaml holds with the server that PREFECT_API_URL names; again, it brings it up to date.

    With SLIDESMITH_ALERT_URL set, the server posts {"text": ...} there for every scheduled run that fails.
    """
    quiet_prefect(verbose=False)
    from flows.deploy import ALERT_URL, deploy

    there = deploy()
    lines = [f"{kind:<14}{', '.join(names)}" for kind, names in there.items()]
    if "tell of failed runs" not in there["automations"]:
        lines += ["", f"{ALERT_URL} is not set: nobody is told of failed runs"]
    say(there, as_json, lines)
