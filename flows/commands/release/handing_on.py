"""`release pull` and `release export`: a release leaves its store."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from flows.commands.options import json_option, say
from flows.commands.release.choosing import opened, release_options


@click.command(name="pull")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Folder, new or of an interrupted pull.")
@release_options
@json_option
def pull(to: Path, store: str, dataset: str, version: str, as_json: bool) -> None:
    """Copy a release to a folder, verified byte for byte; run again, it goes on where it stopped."""
    from tasks.releases.pull import pull as copy
    from tasks.releases.read import open_release

    release = copy(open_release(opened(store), dataset, version), to)
    say({"release": release.name, "fingerprint": release.fingerprint}, as_json, [f"{release.name} is in {to}"])


@click.command(name="export")
@click.option("--hf", type=click.Path(path_type=Path), help="Folder to push to the Hub as a dataset repository.")
@click.option("--iceberg", metavar="URI", help="SQL catalog of Iceberg, e.g. sqlite:///catalog.db; nothing is copied.")
@click.option("--warehouse", help="For --iceberg: folder or address of the tables' metadata.")
@release_options
@json_option
def export(
    hf: Path | None, iceberg: str | None, warehouse: str | None, store: str, dataset: str, version: str, as_json: bool
) -> None:
    """Hand a release on to the Hub's layout or to an Iceberg catalog."""
    from schemas.errors import InputError
    from tasks.releases.exports import export_hub, export_iceberg, sql_catalog
    from tasks.releases.read import open_release

    if not (hf or iceberg):
        raise InputError("nothing to export to", remedy="give --hf FOLDER or --iceberg URI --warehouse PLACE")
    if iceberg and not warehouse:
        raise InputError("--iceberg needs a place for the tables' metadata", remedy="give --warehouse PLACE too")
    release = open_release(opened(store), dataset, version)
    facts: dict[str, object] = {"release": release.name}
    lines = []
    if hf:
        export_hub(release, hf)
        facts["hf"] = hf.name
        lines.append(
            f"{release.name} is in {hf}; push it with: hf upload OWNER/NAME {hf} --repo-type dataset --delete 'data/*'"
        )
    if iceberg and warehouse:
        with closing(sql_catalog(iceberg, warehouse)) as catalog:
            snapshots = export_iceberg(release, catalog)
        facts["iceberg"] = snapshots
        lines.append(f"{release.name}: {len(snapshots)} tables registered under the tag v{release.version}")
    say(facts, as_json, lines)
