"""`release publish`, `tag`, `retract` and `delete`: what changes a store."""

from __future__ import annotations

from pathlib import Path

import click

from flows.commands.options import json_option, say
from flows.commands.release.choosing import dataset_options, opened


@click.command(name="publish")
@click.option("--config", "config_file", type=click.Path(path_type=Path), required=True, help="YAML of the run.")
@json_option
def publish(config_file: Path, as_json: bool) -> None:
    """Publish a finished run under its configured version; what passes the gate appears whole or not at all."""
    from flows.candidate import gather_candidate
    from flows.config import load_config
    from flows.outcome import note_release
    from flows.plan import make_plan
    from tasks.releases.publish import publish as publish_candidate

    plan = make_plan(load_config(config_file))
    refused = plan.config.out if plan.config.releases else None
    release = publish_candidate(gather_candidate(plan), plan.config.release, plan.release_store, refused=refused)
    note_release(plan, release)
    facts = {"dataset": release.dataset, "version": release.version, "fingerprint": release.fingerprint}
    say(facts, as_json, [f"{release.dataset} {release.version}  {release.fingerprint}"])


@click.command(name="tag")
@click.argument("name", required=False)
@click.argument("version", required=False)
@click.option("--move", is_flag=True, help="Let a tag that is there point elsewhere.")
@dataset_options
@json_option
def tag(name: str | None, version: str | None, move: bool, store: str, dataset: str, as_json: bool) -> None:
    """Point the tag NAME to VERSION; without arguments, list the tags."""
    from schemas.errors import InputError
    from tasks.releases.tags import list_tags, set_tag

    place = opened(store)
    if name and not version:
        raise InputError(f"tag {name!r} points to no version", remedy="give the version too: release tag NAME VERSION")
    if name and version:
        set_tag(place, dataset, name, version, move=move)
    tags = list_tags(place, dataset)
    say({"dataset": dataset, "tags": tags}, as_json, [f"{key:<24}{value}" for key, value in tags.items()])


@click.command(name="retract")
@click.option("--patient", required=True, help="Pseudonym of the patient who withdraws.")
@dataset_options
@json_option
def retract(patient: str, store: str, dataset: str, as_json: bool) -> None:
    """Publish a successor of the latest version without one patient, and list the versions that still hold them."""
    from tasks.releases.retract import retract as withdraw

    made = withdraw(opened(store), dataset, patient)
    facts = {
        "successor": made.successor.version,
        "fingerprint": made.successor.fingerprint,
        "affected": list(made.affected),
        "rows_removed": made.rows,
        "questions_left_out_for_balance": made.unbalanced,
    }
    lines = [
        f"{made.successor.name} is published without this patient",
        *(f"  {rows:>8,} rows fewer in {table}" for table, rows in made.rows.items() if rows),
        f"  {made.unbalanced:>8,} questions of others left out, so that every option set stays balanced",
        f"versions that still hold the patient, to be deleted: {', '.join(made.affected)}",
    ]
    say(facts, as_json, lines)


@click.command(name="delete")
@click.option("--version", required=True, help="Version; no tag.")
@dataset_options
@json_option
def delete(version: str, store: str, dataset: str, as_json: bool) -> None:
    """Delete one version for good, while nobody publishes; its number is never used again."""
    from tasks.releases.delete import delete as remove

    objects = remove(opened(store), dataset, version)
    facts = {"deleted": f"{dataset} {version}", "objects": objects}
    say(facts, as_json, [f"{dataset} {version} is deleted, with {objects} files that no other version shares"])
