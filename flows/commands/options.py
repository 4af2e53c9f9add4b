"""Options and output that several verbs share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)


def json_option(command: Command) -> Command:
    """Add `--json`: one JSON object on standard output, for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")(command)


def run_options(dry_run: str) -> Callable[[Command], Command]:
    """Add the options that verbs share which run a configuration; `dry_run` says what that option prints."""

    def add(command: Command) -> Command:
        for option in reversed(
            (
                click.option("--config", "config_file", type=_PATH, required=True, help="YAML of the run."),
                click.option("--out", type=_PATH, help="Folder for what is made (overrides the YAML)."),
                click.option("--dry-run", is_flag=True, help=dry_run),
                click.option("--verbose", is_flag=True, help="Show Prefect's log."),
            )
        ):
            command = option(command)
        return command

    return add


_SERVICES_OF_A_LASTING_SERVER = (
    "TASK_RUN_RECORDER", "EVENT_PERSISTER", "TRIGGERS", "SCHEDULER", "LATE_RUNS", "FOREMAN", "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP", "REPOSSESSOR", "CLEANUP_RECONCILER",
)  # fmt: skip


def say(result: dict[str, Any], as_json: bool, lines: list[str]) -> None:
    """Print the result for a machine, or the lines for a person."""
    click.echo(json.dumps(result, indent=1, sort_keys=True) if as_json else "\n".join(lines))


def quiet_prefect(verbose: bool) -> None:
    """Set what Prefect prints, before it is imported; settings of the user's own environment win."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if verbose else "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "INFO" if verbose else "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_INTERNAL_LEVEL", "ERROR" if verbose else "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
    # A server that lives as long as one run has no schedules, automations or page; their work costs 30 ms a task.
    for service in _SERVICES_OF_A_LASTING_SERVER:
        os.environ.setdefault(f"PREFECT_SERVER_SERVICES_{service}_ENABLED", "false")
