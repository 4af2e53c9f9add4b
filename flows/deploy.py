"""Register what `prefect.yaml` names with a Prefect server: pools, limits, automations, deployments, schedules."""

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
HOME = "SLIDESMITH_HOME"
_WEBHOOK = "slidesmith-alert"


def deploy() -> dict[str, Any]:
    """Register everything; automations and deployments that are there are brought up to date. Returns all names.

    Pools, limits and schedules that exist stay as they are: the operator's (`prefect gcl update gpu --limit 4`).

    Raises:
        ConfigError: no server is named.
        StageFailedError: the server refused a deployment.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError("no Prefect server is named", remedy="set PREFECT_API_URL, or use `make server`")
    plan = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    there = register(plan["definitions"])
    names = [deployment["name"] for deployment in plan["deployments"]]
    _make_deployments(names)
    _make_schedules(plan["definitions"]["schedules"])
    return {**there, "deployments": names}


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


def _make_deployments(names: list[str]) -> None:
    """Register them; `prefect deploy` lets go on what operators have paused, so it is paused again."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    ours = DeploymentFilter(name=DeploymentFilterName(any_=names))
    with get_client(sync_client=True) as client:
        paused = [there.id for there in client.read_deployments(deployment_filter=ours) if there.paused]
        _run_prefect_deploy()
        for identifier in paused:
            client.pause_deployment(identifier)


def _run_prefect_deploy() -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    # Without the variable its placeholder is what the server keeps, and every worker fills in its own folder.
    environment = {name: value for name, value in os.environ.items() if name != HOME}
    done = subprocess.run(  # noqa: S603  our own arguments
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise StageFailedError(
            f"the server took not all deployments: {told[-1] if told else 'no reason given'}",
            remedy="see the server's log, and prefect.yaml",
        )


def _make_schedules(wanted: dict[str, str]) -> None:
    """Not left to `prefect deploy`, which deletes what is there, hence also what operators have switched on."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    with get_client(sync_client=True) as client:
        for name, cron in wanted.items():
            deployment = client.read_deployment_by_name(name)
            if not deployment.schedules:
                daily = CronSchedule(cron=cron, timezone="Etc/UTC")
                client.create_deployment_schedules(
                    deployment.id, [DeploymentScheduleCreate(schedule=daily, active=False)]
                )
