"""Register what this project needs with a Prefect server: pools, limits, automations, deployments of `prefect.yaml`."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import Any

import yaml

from schemas.errors import ConfigError, StageFailedError
from tasks.settings import ROOT

ALERT_URL = "SLIDESMITH_ALERT_URL"
_WEBHOOK = "slidesmith-alert"


def deploy() -> dict[str, Any]:
    """Register everything; automations and deployments that are there are brought up to date. Returns all names.

    Pools and limits that exist stay as they are: the operator's (`prefect gcl update gpu --limit 4`).

    Raises:
        ConfigError: no server is named.
        StageFailedError: the server refused a deployment.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError("no Prefect server is named", remedy="set PREFECT_API_URL, or use `make server`")
    plan = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    there = register(plan["definitions"])
    _make_deployments()
    return {**there, "deployments": [deployment["name"] for deployment in plan["deployments"]]}


def register(wanted: dict[str, Any]) -> dict[str, list[str]]:
    """Register pools, limits and automations; returns the names of what is there now."""
    _make_pools(wanted["pools"])
    _make_limits(wanted["limits"])
    automations = _make_automations(wanted["automations"])
    return {"pools": wanted["pools"], "limits": list(wanted["limits"]), "automations": automations}


def _make_pools(names: list[str]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        for name in names:
            with suppress(ObjectAlreadyExists):
                client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))


def _make_limits(limits: dict[str, int]) -> None:
    from prefect.client.orchestration import get_client

    from flows.limits import make_limit

    with get_client(sync_client=True) as client:
        for name, slots in limits.items():
            make_limit(client, name, slots)


def _make_automations(wanted: list[dict[str, Any]]) -> list[str]:
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.automations import AutomationCore

    webhook = _webhook()
    made = []
    with get_client(sync_client=True) as client:
        for plain in wanted:
            calls = [action for action in plain["actions"] if action["type"] == "call-webhook"]
            if calls and webhook is None:
                continue
            for action in calls:
                action["block_document_id"] = webhook
            automation = AutomationCore.model_validate(plain)
            there = client.read_automations_by_name(automation.name)
            if there:
                client.update_automation(there[0].id, automation)
            else:
                client.create_automation(automation)
            made.append(automation.name)
    return made


def _webhook() -> str | None:
    """Keep the address on the server, as a secret; return its id, None where none is given."""
    from prefect.blocks.webhook import Webhook
    from pydantic import SecretStr

    url = os.environ.get(ALERT_URL)
    if not url:
        return None
    return str(Webhook(url=SecretStr(url)).save(_WEBHOOK, overwrite=True))


def _make_deployments() -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    environment = {"SLIDESMITH_HOME": str(ROOT), **os.environ}
    done = subprocess.run(  # noqa: S603  our own arguments
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise StageFailedError(
            f"the server took not all deployments: {told[-1] if told else 'no reason given'}",
            remedy="see the server's log, and prefect.yaml",
        )
