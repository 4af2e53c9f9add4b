"""`release list`, `show`, `diff` and `verify`: what a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flows.commands.options import json_option, say
from flows.commands.release.choosing import dataset_options, opened, release_options, store_option

if TYPE_CHECKING:
    from tasks.releases.read import Release

_SHOWN = ("name", "scale", "question", "text", "generator", "model", "prompt_sha256", "sha256", "image", "reason")


@click.command(name="list")
@store_option
@json_option
def list_(store: str, as_json: bool) -> None:
    """List the releases of a store."""
    from tasks.releases.read import list_releases

    rows = [
        {"dataset": release.dataset, "version": release.version, "fingerprint": release.fingerprint}
        for release in list_releases(opened(store))
    ]
    lines = [f"{row['dataset']:<28}{row['version']:<12}{row['fingerprint'][:16]}" for row in rows]
    say({"releases": rows}, as_json, lines or ["no release yet"])


@click.command(name="show")
@click.option("--item", metavar="ID", help="A row of any table: where it comes from, and what was decided about it.")
@release_options
@json_option
def show(item: str | None, store: str, dataset: str, version: str, as_json: bool) -> None:
    """Show a release: rows by table and split, fingerprint; or one row's way back to slide bytes, prompt and model."""
    from tasks.releases.lineage import trace
    from tasks.releases.read import open_release
    from tasks.releases.read import show as describe

    release = open_release(opened(store), dataset, version)
    if item:
        found = trace(release, item)
        say(found, as_json, _trace_lines(found))
        return
    say(describe(release), as_json, _release_lines(release))


def _release_lines(release: Release) -> list[str]:
    lines = [f"{release.dataset} {release.version}  {release.fingerprint}", ""]
    for name, table in release.tables.items():
        splits = ", ".join(f"{split} {rows:,}" for split, rows in table["splits"].items())
        lines.append(f"{name:<16}{table['rows']:>10,}  {splits}")
    return lines


def _trace_lines(found: dict[str, Any]) -> list[str]:
    """Return the row, what it comes from and what was decided, a line each with what a person looks for first."""
    lines = [*_row_lines(found["item"], ""), "", "comes from"]
    for row in found["from"]:
        lines += _row_lines(row, "  ")
    if found["cites"]:
        lines += ["", "cites", *(f"  {one['id']}  {one['says']}  [{one['source']}]" for one in found["cites"])]
    lines += ["", "decided about it"]
    decided = found["decisions"]
    flagged = sorted(verdict["reader"] for verdict in decided["verdicts"] if verdict["flagged"])
    read = f"  {len(decided['verdicts'])} verdicts of text-only readers"
    lines.append(f"{read}; flagged by {', '.join(flagged) or 'none'}")
    lines += [f"  {event['kind']} by {event['reviewer'] or 'the flow'}" for event in decided["review_events"]]
    lines += [f"  rejected in {row['stage']}: {row['reason']} {row['detail']}" for row in decided["rejections"]]
    made = found["release"]
    lines += ["", f"released in {made['dataset']} {made['version']}, made by code {made['code_version']}"]
    return lines


def _row_lines(row: dict[str, Any], indent: str) -> list[str]:
    key = next(str(value) for name, value in row.items() if name != "table")
    told = {**row, **(row.get("provenance") or {})}
    lines = [f"{indent}{row['table']:<14}{key}"]
    lines += [f"{indent}  {name:<14}{told[name]}" for name in _SHOWN if told.get(name) not in (None, "")]
    return lines


@click.command(name="diff")
@click.argument("older")
@click.argument("newer")
@dataset_options
@json_option
def diff(older: str, newer: str, store: str, dataset: str, as_json: bool) -> None:
    """Tell what changed from the version OLDER to NEWER: rows by key and reason, columns, sources, readers' results."""
    from tasks.releases.diff import diff as compare
    from tasks.releases.read import open_release

    place = opened(store)
    changes = compare(open_release(place, dataset, older), open_release(place, dataset, newer))
    say(changes.to_dict(), as_json, changes.lines())


@click.command(name="verify")
@release_options
@json_option
def verify(store: str, dataset: str, version: str, as_json: bool) -> None:
    """Hash every file again; a flipped byte anywhere is found."""
    from schemas.errors import StoreError
    from tasks.releases.read import open_release
    from tasks.releases.verify import verify as find_problems

    release = open_release(opened(store), dataset, version)
    problems = find_problems(release)
    whole = [f"{release.name}: every byte is as published"]
    say({"release": release.name, "problems": problems}, as_json, problems or whole)
    if problems:
        raise StoreError(f"{release.name} has {len(problems)} problems", remedy="pull or publish it again")
