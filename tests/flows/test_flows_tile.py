"""`slidesmith tile`: what it says of slides that cannot be used, and where it puts the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from flows.config import load_config
from flows.plan import make_plan
from tasks.tiling.task import tile
from tests.tiling.conftest import SMALL, paint_tissue, write_slide


def tiled(folder: Path, rows: list[str], **tiling: Any) -> list[str]:
    """Tile the slides of a manifest without a server and return the arguments of the verb that finds it done."""
    manifest, config = folder / "manifest.csv", folder / "run.yaml"
    manifest.write_text("\n".join(["path,patient_id,annotations", *rows]) + "\n")
    paths = {"slides": str(folder), "manifest": str(manifest), "out": str(folder / "out")}
    config.write_text(json.dumps({**paths, "tiling": {**SMALL, **tiling}}))
    plan = make_plan(load_config(config))
    for key, source in zip(plan.tiling, plan.sources, strict=True):
        tile.fn(plan.store, key, source, plan.config.tiling)
    return ["tile", str(folder), "--out", str(folder / "out"), "--manifest", str(manifest), "--config", str(config)]


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("painted") / "slide.svs", paint_tissue(900, 700))


def test_slides_of_one_name_have_a_folder_each(
    tmp_path: Path, painted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for patient in ("P1", "P2"):
        (tmp_path / patient).mkdir()
    shutil.copy(painted, tmp_path / "P1" / "slide.svs")
    write_slide(tmp_path / "P2" / "slide.svs", paint_tissue(900, 700, seed=5))
    shutil.copy(tmp_path / "P2" / "slide.svs", tmp_path / "work.svs")
    with (tmp_path / "work.svs").open("ab") as stream:
        stream.write(b"another slide")
    main([*tiled(tmp_path, ["P1/slide.svs,P1,", "P2/slide.svs,P2,", "work.svs,P3,"]), "--json"])
    folders = [row["folder"] for row in json.loads(capsys.readouterr().out)["slides"]]
    assert len(set(folders)) == 3
    assert "work" not in folders
    assert all((tmp_path / "out" / folder / "tiles.parquet").is_file() for folder in folders)


def test_a_rerun_with_nothing_to_do_fails_as_the_first_run_did(
    tmp_path: Path, painted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(painted, tmp_path / "slide.svs")
    command = tiled(tmp_path, ["slide.svs,P1,a.geojson"], centres={"kind": "annotations"})
    for _ in range(2):
        with pytest.raises(SystemExit) as stop:
            main(command)
        assert stop.value.code == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "1 of 1 slides cannot be used: slide.svs has annotations in a.geojson, which does not exist" in line
