"""Where a run keeps what annotators work on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
EXTRA = "install the extra: pip install -c constraints.txt -e '.[review]'"


def out_option(command: Command) -> Command:
    """Add `--out`: the folder of a run."""
    kind = click.Path(path_type=Path)
    return click.option("--out", type=kind, default=Path("demo-out"), show_default=True, help="A run's folder.")(
        command
    )


def desk_file(out: Path) -> Path:
    """Return the desk of a run.

    Raises:
        InputError: the run has not come as far as review.
    """
    from schemas.errors import InputError
    from tasks.review.desk import DESK

    desk = out / "review" / DESK
    if not desk.is_file():
        raise InputError(f"{out} has no review queue", remedy="name the folder of a run that went as far as review")
    return desk
