"""Tiles per CPU second against what else makes tiles: one slide, one run, contestants interleaved.

Usage: python -m benchmarks.tiling [--quick] [--json FILE] [--plot FILE] [--histoprep PYTHON]

libvips takes part where pyvips is installed (`pip install pyvips pyvips-binary`), HistoPrep where `--histoprep` names
the interpreter of an environment of its own (`pip install histoprep openslide-bin`; it needs an older Pillow than we
do). The loops and libvips fetch keep their tiles in memory, dzsave and HistoPrep write files, ours write Parquet. Slow
ones make a share of the tiles and their time is multiplied. A full run draws the plot that README shows.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._tiling_codec import codec_alone, codec_claims, copy_alone
from benchmarks._tiling_contestants import (
    BLOCK,
    TILE,
    Boxes,
    blocks_under,
    histoprep_seconds,
    loop,
    peak_mib,
    plan_bench,
    vips_dzsave,
    vips_fetch,
    write_slide,
)
from tasks.store import ShardStore
from tasks.tiling.config import TilingConfig
from tasks.tiling.manifest import SlideSource, read_sources
from tasks.tiling.shard import tile_slide

WIDTH, HEIGHT = 32_768, 24_576
PLOT = Path(__file__).resolve().parent.parent / "docs" / "images" / "tiling.png"
OPENSLIDE, BEST, VIPS = "OpenSlide loop, level 0", "OpenSlide loop, best level", "libvips region fetch"
OURS, PASSED = "Slidesmith", "Slidesmith, passed through"
MEASURED = "Slidesmith, focus measured"
CODEC = "decoding and encoding alone"  # what no way that decodes and encodes can pass
HALVED = "decoding at half size and encoding alone"
COPY = "reading and writing bytes alone"
LIMITS = {OURS: CODEC, PASSED: COPY}


def cpu_seconds(run: Callable[[], int], expected: int) -> float:
    """Return the CPU seconds of all threads that one contestant takes."""
    started = time.process_time()
    made = run()
    if made < expected:
        raise RuntimeError(f"made {made} of {expected} tiles")
    return time.process_time() - started


class Case:
    """One task, its contestants, and what each took in every round."""

    def __init__(self, title: str, tiles: int) -> None:
        self.title, self.tiles = title, tiles
        self.contestants: dict[str, Callable[[], float]] = {}
        self.rates: dict[str, list[float]] = {}

    def add(self, name: str, run: Callable[[], int], *, share: int = 1) -> None:
        """Add a contestant; a slow one may make only every `share`-th tile."""
        self.add_timed(name, lambda: cpu_seconds(run, self.tiles // share) * share)

    def add_timed(self, name: str, seconds: Callable[[], float]) -> None:
        """Add a contestant that measures itself."""
        self.contestants[name] = seconds

    def round(self) -> None:
        """Let every contestant run once."""
        for name, seconds in self.contestants.items():
            self.rates.setdefault(name, []).append(self.tiles / seconds())

    def ratio(self, name: str, base: str) -> tuple[float, float, float]:
        """Return median, least and greatest ratio of two contestants over the rounds."""
        ratios = [a / b for a, b in zip(self.rates[name], self.rates[base], strict=True)]
        return statistics.median(ratios), min(ratios), max(ratios)

    def show(self, base: str) -> None:
        """Print the table of this case."""
        print(f"\n{self.title}: {self.tiles} tiles, {len(self.rates[base])} rounds")
        print(f"  {'':44}{'tiles / CPU-s':>14}{'ratio':>8}{'spread':>16}")
        for name, rates in self.rates.items():
            middle, least, most = self.ratio(name, base)
            print(f"  {name:44}{statistics.median(rates):14,.0f}{middle:8.1f}{f'{least:.1f} to {most:.1f}':>16}")


def part(boxes: Boxes, share: int) -> Boxes:
    """Return the first of so many equal parts: what lies together stays together."""
    return boxes[: len(boxes) // share]


def native_case(path: Path, columns: int, rows: int, share: int, histoprep: str | None) -> Case:
    """Return the task of cutting the slide's own grid, with all contestants that are installed."""
    native = [(column * TILE, row * TILE) for row in range(8, 8 + rows) for column in range(columns)]
    boxes = [(x, y, TILE) for x, y in native]
    case = Case("Tiles at the slide's own scale", len(boxes))
    case.add(OPENSLIDE, loop(path, part(boxes, share), "openslide"), share=share)
    case.add("tiffslide loop", loop(path, part(boxes, share), "tiffslide"), share=share)
    if importlib.util.find_spec("pyvips"):
        case.add(VIPS, vips_fetch(path, boxes))
        case.add("libvips dzsave", vips_dzsave(path, boxes))
    if histoprep:
        some = part(boxes, share)
        case.add_timed("HistoPrep save_regions", lambda: histoprep_seconds(histoprep, path, some) * share)
    high = {"scales_mpp": {"high": 0.5}}
    case.add(OURS, plan_bench(path, native, 0.5, high | {"reader": "native"}))
    case.add(MEASURED, plan_bench(path, native, 0.5, high | {"reader": "native", "measure_focus": True}))
    case.add(PASSED, plan_bench(path, native, 0.5, high))
    case.add(CODEC, codec_alone(path, len(boxes), len(boxes)))
    case.add(COPY, copy_alone(path, [(x // TILE, y // TILE) for x, y in native]))
    return case


def half_case(path: Path, columns: int, rows: int, share: int) -> Case:
    """Return the task of halving: the slide is taken as one of 0.25 um/px."""
    half = [(column * TILE, row * TILE) for row in range(4, 4 + rows // 2) for column in range(columns // 2)]
    case = Case("0.5 um/px from 0.25 um/px", len(half))
    boxes = [(2 * x, 2 * y, 2 * TILE) for x, y in half]
    case.add(OPENSLIDE, loop(path, part(boxes, share), "openslide"), share=share)
    case.add(OURS, plan_bench(path, half, 0.25, {"scales_mpp": {"high": 0.5}}))
    case.add(CODEC, codec_alone(path, 4 * len(boxes), len(boxes)))
    case.add(HALVED, codec_alone(path, 4 * len(boxes), len(boxes), least_px=TILE // 2))
    return case


def field_case(path: Path, columns: int, rows: int, share: int) -> Case:
    """Return the task of fields: tiles of three scales around each of many neighbouring centres."""
    scales = {"scales_mpp": {"low": 10.0, "mid": 2.5, "high": 0.5}, "reader": "native"}
    middles = [(8192 + TILE * column, 8192 + TILE * row) for row in range(rows) for column in range(columns)]
    sides = (TILE, 5 * TILE, 20 * TILE)
    boxes = [(x + TILE // 2 - side // 2, y + TILE // 2 - side // 2, side) for x, y in middles for side in sides]
    case = Case(f"Three aligned scales around {len(middles)} dense centres", len(boxes))
    spread = [box for number, box in enumerate(boxes) if number // 3 % (16 * share) == 0]
    case.add(OPENSLIDE, loop(path, spread, "openslide"), share=16 * share)
    case.add(BEST, loop(path, part(boxes, share), "openslide", best_level=True), share=share)
    case.add(OURS, plan_bench(path, middles, 0.5, scales))
    full = [box for box in boxes if box[2] < sides[2]]  # the coarsest is read from the second level, 4x
    needed = blocks_under(full, TILE) + blocks_under([box for box in boxes if box[2] == sides[2]], 4 * TILE)
    case.add(CODEC, codec_alone(path, needed, len(boxes), (0, 1, 2)))
    return case


def workers_ratio(folder: Path, side: int) -> float:
    """Return how many times faster two workers tile four slides than one does: wall time, median of three."""
    slides = [write_slide(folder / f"{number}.svs", side, side, 0.5, seed=number) for number in range(4)]
    config = TilingConfig.model_validate({"centres": {"kind": "grid"}, "scales_mpp": {"mid": 2.5, "high": 0.5}})
    sources = read_sources(slides[0].parent)[0]
    ratios = []
    for _ in range(3):
        taken = []
        for workers in (1, 2):
            with tempfile.TemporaryDirectory(dir=folder) as store, ThreadPoolExecutor(workers) as pool:
                started = time.perf_counter()
                list(pool.map(partial(tile_into, Path(store), config), sources))
                taken.append(time.perf_counter() - started)
        ratios.append(taken[0] / taken[1])
    for slide in slides:
        slide.unlink()
    middle = statistics.median(ratios)
    print(f"\nTwo workers over one, four slides: {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return middle


def tile_into(store: Path, config: TilingConfig, source: SlideSource) -> None:
    """Tile one slide whole, as a worker of the flow does."""
    ShardStore(store).ensure("tiling", source.sha256[:32], lambda out: tile_slide(source, config, out))


def claims_of(cases: list[Case], peak: float, wide: int, workers: float, load: float) -> list[Claim]:
    """Return what is claimed, measured and aimed at."""
    first, second, third = cases
    wanted = [
        ("native scale over the OpenSlide loop", first, OURS, OPENSLIDE, 3.0),
        ("native scale over libvips fetch", first, OURS, VIPS, 1.1),
        ("passthrough over the OpenSlide loop", first, PASSED, OPENSLIDE, 80.0),
        ("0.5 from 0.25 um/px over the OpenSlide loop", second, OURS, OPENSLIDE, 8.0),
        ("three aligned scales over the level-0 loop", third, OURS, OPENSLIDE, 20.0),
        ("three aligned scales over best-level reads", third, OURS, BEST, 6.0),
    ]
    rows: list[Claim] = []
    for name, case, ours, base, goal in wanted:
        if base in case.rates:
            value, least, most = (round(ratio, 2) for ratio in case.ratio(ours, base))
            unit = f"times the tiles per CPU second, {least} to {most}"
            unit += f"; {case.ratio(LIMITS[ours], base)[0]:.1f} for {LIMITS[ours]}"
            rows.append(claim(name, value, unit, f">= {goal:g}", value >= goal))
    halved = round(second.ratio(HALVED, OPENSLIDE)[0], 2)
    rows.append(claim(f"0.5 from 0.25 um/px, {HALVED}", halved, "times the tiles per CPU second"))
    rows.append(claim(f"peak memory, {wide:,} px wide", round(peak), "MiB", "<= 1024", peak <= 1024))
    unit = f"times the tiles per second of wall time, other load {load:.1f} on {os.cpu_count()} cores"
    rows.append(claim("two workers over one", round(workers, 2), unit, ">= 1.7", workers >= 1.7))
    return rows


def plot(cases: list[Case], path: Path) -> None:
    """Draw tiles per CPU second of every contestant."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    counts = [len(case.rates) for case in cases]
    figure, axes = pyplot.subplots(len(cases), 1, figsize=(8, 0.36 * sum(counts) + 2.2), height_ratios=counts)
    for case, axis in zip(cases, axes, strict=True):
        names = list(case.rates)[::-1]
        middles = [statistics.median(case.rates[name]) for name in names]
        colours = ["#009e73" if name.startswith("Slidesmith") else "#b8bcc4" for name in names]
        bars = axis.barh(names, middles, color=colours)
        for name, bar in zip(names, bars, strict=True):
            if name in (CODEC, HALVED, COPY):
                bar.set(facecolor="white", edgecolor="#b8bcc4", hatch="////")
        for row, value in enumerate(middles):
            axis.text(value * 1.06, row, f"{value:,.0f}" if value > 10 else f"{value:.1f}", va="center", fontsize=8)
        axis.set(xscale="log", xlim=(min(middles) / 2, max(middles) * 3))
        axis.set_title(case.title, loc="left", fontsize=10, fontweight="bold")
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    axes[-1].set_xlabel("tiles per CPU second (log scale)", fontsize=9)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smaller slide, fewer tiles and rounds")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="PNG to draw; a full run draws docs/images/tiling.png")
    parser.add_argument("--histoprep", help="Python interpreter of an environment with HistoPrep")
    options = parser.parse_args()
    columns, rows, rounds, wide = (32, 8, 2, 25_000) if options.quick else (128, 48, 5, 100_000)
    width, height = (WIDTH // 2, HEIGHT // 2) if options.quick else (WIDTH, HEIGHT)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = write_slide(Path(folder) / "bench.svs", width, height, 0.5)
        print(f"Slide of {width:,} x {height:,} px, {path.stat().st_size / 2**20:,.0f} MiB")
        cases = [
            native_case(path, columns, rows // 2, 1 if options.quick else 6, options.histoprep),
            half_case(path, columns, rows, 1 if options.quick else 12),
            field_case(path, columns // 4, rows // 3, 1 if options.quick else 4),
        ]
        for _ in range(rounds):
            for case in cases:
                case.round()
        for case in cases:
            case.show(OPENSLIDE)
        bounds = codec_claims(path)
        path.unlink()
        workers = workers_ratio(Path(folder), (2 if options.quick else 6) * BLOCK)
        peak = peak_mib(wide, Path(folder))
    claims = claims_of(cases, peak, wide, workers, load) + bounds
    print()
    tell(claims)
    keep(claims, options.json)
    if options.plot or not options.quick:
        plot(cases, options.plot or PLOT)


if __name__ == "__main__":
    main()
