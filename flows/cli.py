"""The command line: one entry point, a thin layer over the flows; every heavy import waits for its verb."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from schemas.errors import SlidesmithError

_VERBS = {
    "demo": "everything, on synthetic slides: no key, no server, no download",
    "run": "the whole curation from a configuration file",
    "tile": "slides to aligned multi-magnification tiles",
    "kg": "the medical knowledge graph: fetch, build, link, paths, query, validate, export",
    "generate": "captions, perturbations, questions and reasoning, by rules or by a language model",
    "screen": "text-only leakage screening of any multiple-choice file",
    "review": "flagged items and annotators' decisions",
    "release": "versioned datasets: publish, show, diff, verify, pull, export, tag, retract",
    "train": "train from a release",
    "evaluate": "evaluate a trained model with its blind control",
    "runs": "what earlier runs did, at what cost; SQL over it",
    "deploy": "register pools, limits, automations and deployments with a Prefect server",
    "doctor": "what is installed and what works",
}


class _LazyGroup(click.Group):
    """Verbs live in `flows/commands/`; `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(f"flows.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="slidesmith")
def cli() -> None:
    """Whole-slide images and pathology reports to versioned, leakage-screened vision-language datasets.

    Exit codes: 0 success, 1 a run that failed, 2 input that cannot be used, 3 a screening cell that fails.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; expected failures are one line on standard error, never a traceback."""
    try:
        return cli.main(args=arguments, prog_name="slidesmith", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SlidesmithError as error:
        click.echo(f"slidesmith: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        named = f" {Path(error.filename).name!r}" if error.filename else ""
        reason = (error.strerror or str(error)).lower()
        click.echo(f"slidesmith: {reason}:{named}; check the path, its permissions and the free space", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("slidesmith: interrupted; run the same command again to continue", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
