"""Options and output that several verbs share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

EXISTING_FILE = click.Path(path_type=Path)


def json_option(command: Command) -> Command:
    """Add `--json`: one JSON object on standard output, for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")(command)


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
