"""`slidesmith tile`: tiling alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.commands.options import json_option, quiet_prefect, say

if TYPE_CHECKING:
    from tasks.store import Shard
    from tasks.tiling.manifest import SlideSource


@click.command(name="tile")
@click.argument("slides", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="One folder per slide is made here.")
@click.option("--manifest", type=click.Path(path_type=Path), help="CSV of slides; default: every slide of the folder.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML whose `tiling` section is used.")
@click.option("--verbose", is_flag=True, help="Show Prefect's log.")
@json_option
def command(
    slides: Path, out: Path, manifest: Path | None, config_file: Path | None, verbose: bool, as_json: bool
) -> None:
    """Tile SLIDES (a folder or one slide) into OUT/<slide>/: tiles, fields, rejections and a quality overlay.

    Interrupted, the same command continues; unchanged slides are not tiled again. Slides of one name are told
    apart by the start of their digest.
    """
    quiet_prefect(verbose)
    from flows.config import load_config, parse_config
    from flows.plan import make_plan
    from flows.usable_slides import check_usable

    given: dict[str, Any] = {"slides": str(slides), "out": str(out)}
    if manifest:
        given["manifest"] = str(manifest)
    config = load_config(config_file, **given) if config_file else parse_config(given, "the command line")
    plan = make_plan(config)
    todo = [key for key in plan.tiling if plan.store.find("tiling", key) is None]
    if todo:
        from flows.tile_slides import tile_slides

        tile_slides(config)
    else:
        check_usable(plan)
    rows = [
        _expose(plan.store.open("tiling", key), out / folder, source.name)
        for key, source, folder in zip(plan.tiling, plan.sources, _folders(plan.sources), strict=True)
    ]
    rejected = [{"slide": row.item_id, "reason": row.reason, "detail": row.detail} for row in plan.rejected]
    lines = [f"{'folder':<36}{'fields':>8}{'tiles':>8}  dropped"]
    for row in rows:
        dropped = ", ".join(f"{reason} {number}" for reason, number in row["dropped"].items()) or "nothing"
        lines.append(f"{row['folder']:<36}{row['fields']:>8}{row['tiles']:>8}  {dropped}")
    lines += [f"rejected: {row['detail']}" for row in rejected]
    say({"slides": rows, "rejected": rejected, "tiled_now": len(todo)}, as_json, lines)


def _folders(sources: Sequence[SlideSource]) -> list[str]:
    """Return the name of each slide's folder: its stem, with the start of its digest where that is taken."""
    taken = Counter(["work", *(Path(source.name).stem for source in sources)])
    stems = [(Path(source.name).stem, source.sha256[:8]) for source in sources]
    return [stem if taken[stem] == 1 else f"{stem}-{digest}" for stem, digest in stems]


def _expose(shard: Shard, folder: Path, name: str) -> dict[str, Any]:
    """Link a shard's files into a folder that carries the slide's name."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in shard.info.sha256:
        target = folder / file
        target.unlink(missing_ok=True)
        os.link(shard.path(file), target)
    rows = shard.info.rows
    return {
        "slide": name,
        "folder": folder.name,
        "fields": rows.get("fields", 0),
        "tiles": rows.get("tiles", 0),
        "dropped": shard.info.rejected,
    }
