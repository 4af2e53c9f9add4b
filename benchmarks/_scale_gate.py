"""Memory of the gate and of publication: what one image more takes, where the tables are not in question.

DuckDB holds the tables and is bounded (`tasks.releases.database.MEMORY`): a small release grows by what DuckDB has not
filled yet, a large one does not. What grows with a release of any size goes with its images, which are most of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks._claims import Claim, claim
from benchmarks._drill_line import Fork
from benchmarks._scale_alone import GATE, peak_mib
from benchmarks.releases import TILES_PER_SLIDE, large_candidate
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish

IMAGES = (8_000, 20_000)
IMAGES_PER_FIELD = 3


def gate_memory(folder: Path, sizes: tuple[int, int] = IMAGES) -> tuple[float, list[Claim]]:
    """Publish releases of two sizes, each in a fork; return the MiB that one image more takes, and the claims."""
    whole = large_candidate(folder, sizes[1])
    found = []
    for size in sizes:
        part = {name: list(paths)[: size // TILES_PER_SLIDE] for name, paths in whole.tables.items()}
        found.append(Fork(peak_mib, _publish, replace(whole, tables=part), folder / f"store-{size}").result())
    each = max(0.0, found[1] - found[0]) / (sizes[1] - sizes[0])
    return each, [
        claim(f"{GATE} alone: memory of {sizes[1]:,} images", found[1], "MiB"),
        claim(f"{GATE} alone: memory of one image more", each * 1024, "KiB"),
    ]


def _publish(candidate: Candidate, store: Path) -> None:
    publish(candidate, ReleaseConfig(dataset="benchmark", version="1.0.0"), store)
