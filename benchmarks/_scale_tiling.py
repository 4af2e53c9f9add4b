"""What tiling takes: a part by the pixels of a slide (tissue, overview), and a part by its fields."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._claims import Claim, claim
from benchmarks._drill_line import Fork
from benchmarks._without_prefect import stage, without_prefect
from flows.config import RunConfig
from flows.plan import make_plan

SLIDES = 3
SMALL_PX0, LARGE_PX0 = (6144, 4608), (18432, 13824)
RUNS = ((SMALL_PX0, 6), (LARGE_PX0, 6), (LARGE_PX0, 38))
"""Size of the slides, and most fields of one. Many fields of a small slide share pixels that are decoded once."""
TRIES = 2


@dataclass(frozen=True)
class TilingCost:
    """CPU time in s: of any slide, of 1e9 pixels of level 0, and of one field."""

    slide_s: float
    gigapixel_s: float
    field_s: float

    def of(self, gigapixels: float, fields: float) -> float:
        """Return the CPU time of one slide in s."""
        return self.slide_s + self.gigapixel_s * gigapixels + self.field_s * fields


def tiling_cost(folder: Path, settings: dict[str, Any]) -> tuple[TilingCost, list[Claim]]:
    """Tile small slides, and few and many fields of large ones; return what fits, and the claims.

    Args:
        folder: for the slides and the runs.
        settings: a run's configuration as plain data; its number of fields is replaced.
    """
    from demo.make import make_sized
    from demo.plan import plan_demo

    measured = []
    for size, most in RUNS:
        inputs = folder / f"{size[0]}"
        make_sized(inputs, plan_demo(SLIDES, SLIDES, 3), size, 3)  # drawn once
        tries = [
            Fork(_tiled, _config(inputs, folder / f"{size[0]}-{most}-{number}", most, settings)).result()
            for number in range(TRIES)
        ]
        cpu_s, fields = min(tries)
        measured.append((size[0] * size[1] / 1e9, fields / SLIDES, cpu_s / SLIDES))
    cost = fit(measured)
    return cost, [
        claim("tiling: CPU time of any slide", cost.slide_s * 1000, "ms"),
        claim("tiling: CPU time of 1e9 pixels of a slide", cost.gigapixel_s, "s"),
        claim("tiling: CPU time of one field", cost.field_s * 1000, "ms"),
    ]


def fit(measured: list[tuple[float, float, float]]) -> TilingCost:
    """Return the costs that fit best: of rows of 1e9 pixels, fields, and CPU time in s, all of one slide."""
    table = np.array(measured)
    sides = np.column_stack([np.ones(len(table)), table[:, :2]])
    slide_s, gigapixel_s, field_s = np.linalg.lstsq(sides, table[:, 2], rcond=None)[0].tolist()
    return TilingCost(slide_s, gigapixel_s, field_s)


def _config(inputs: Path, out: Path, most: int, settings: dict[str, Any]) -> RunConfig:
    centres = {**settings["tiling"]["centres"], "max_fields_per_slide": most}
    place = {"slides": inputs / "slides", "manifest": inputs / "manifest.csv", "out": out, "runner": {"workers": 1}}
    return RunConfig.model_validate({**settings, **place, "tiling": {**settings["tiling"], "centres": centres}})


def _tiled(config: RunConfig) -> tuple[float, int]:
    plan = make_plan(config)  # slides are hashed before the clock runs: hashing has a line of its own
    with without_prefect():
        cpu = time.process_time()
        stage("tile_slides", config)
        cpu_s = time.process_time() - cpu
    return cpu_s, sum(plan.store.open("tiling", key).info.rows["fields"] for key in plan.tiling)
