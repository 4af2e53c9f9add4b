"""Tiles per CPU second against what else makes tiles: one slide, one run, contestants interleaved.

Usage: python benchmarks/tiling.py [--quick] [--json FILE] [--plot FILE] [--histoprep PYTHON]

libvips takes part where pyvips is installed (`pip install pyvips pyvips-binary`), HistoPrep where `--histoprep` names the
interpreter of an environment that holds it (it needs an older Pillow than we do). OpenSlide, tiffslide and libvips only
keep their tiles in memory; ours write Parquet.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from tasks.store import ShardWriter
from tasks.tiling.config import TilingConfig
from tasks.tiling.engine import make_fields, write_fields
from tasks.tiling.fields import PlannedField, PlannedTile
from tasks.tiling.manifest import SlideSource
from tasks.tiling.readers.choice import open_reader
from tasks.tiling.rows import slide_record
from tasks.tiling.scales import plan_scales

TILE, QUALITY, BLOCK = 256, 80, 1024
WIDTH, HEIGHT = 32_768, 24_576
SHARE = 8  # of the centres, the level-0 loop makes every eighth
OPENSLIDE, BEST, VIPS = "OpenSlide loop, level 0", "OpenSlide loop, best level", "libvips region fetch"
OURS, PASSED = "Slidesmith", "Slidesmith, passed through"
MEASURED = "Slidesmith, focus measured"
Origins = list[tuple[int, int]]
Boxes = list[tuple[int, int, int]]


def paint_canvas(side: int = 2048) -> Any:
    """Return tissue as detailed as H&E at 0.5 um/px is stored by scanners, 11 kB per tile, shape (side, side, 3)."""
    rng = np.random.default_rng(0)

    def smooth(grain: int) -> Any:
        coarse = Image.fromarray(rng.random((side // grain, side // grain), dtype=np.float32))
        return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))[..., None]

    nuclei = np.clip((smooth(10) - 0.6) * 7, 0, 1)
    eosin = np.array([218, 150, 190]) + (smooth(64) - 0.5) * 70 + (smooth(5) - 0.5) * 50
    tissue = eosin * (1 - nuclei) + np.array([100, 62, 140]) * nuclei + rng.normal(0, 1.5, (side, side, 1))
    return np.clip(tissue, 0, 255).astype(np.uint8)


def write_slide(path: Path, width: int, height: int, mpp: float) -> Path:
    """Write an Aperio slide (levels 1x, 4x, 16x) of blocks cut from one canvas at seeded places."""
    import tifffile

    canvas = paint_canvas()
    quarter = np.asarray(Image.fromarray(canvas).reduce(4))
    rng = np.random.default_rng(1)
    columns, rows = width // BLOCK, height // BLOCK
    places = rng.integers(0, (len(canvas) - BLOCK) // 16, size=(rows, columns, 2)) * 16

    def tiles(pixels: Any) -> Iterator[bytes]:
        for y in range(0, pixels.shape[0], TILE):
            for x in range(0, pixels.shape[1], TILE):
                tile = np.ascontiguousarray(pixels[y : y + TILE, x : x + TILE])
                if tile.shape != (TILE, TILE, 3):
                    tile = np.pad(tile, ((0, TILE - tile.shape[0]), (0, TILE - tile.shape[1]), (0, 0)), mode="edge")
                yield simplejpeg.encode_jpeg(tile, QUALITY, "RGB", "420")

    def full() -> Iterator[bytes]:
        for row in range(rows):
            band = [canvas[y : y + BLOCK, x : x + BLOCK] for y, x in places[row]]
            yield from tiles(np.concatenate(band, axis=1))

    small = [[quarter[y // 4 : y // 4 + TILE, x // 4 : x // 4 + TILE] for y, x in places[row]] for row in range(rows)]
    low = np.concatenate([np.concatenate(row, axis=1) for row in small])
    least = np.asarray(Image.fromarray(low).reduce(4))
    text = f"Aperio Image Library v12.0.1\r\n{width}x{height} ({TILE}x{TILE}) JPEG/RGB|AppMag = 20|MPP = {mpp}"
    how = {"tile": (TILE, TILE), "compression": "jpeg", "photometric": "ycbcr", "subsampling": (2, 2), "metadata": None}
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(full(), shape=(height, width, 3), dtype="uint8", description=text, **how)
        writer.write(np.asarray(Image.fromarray(least).reduce(4)), photometric="rgb", rowsperstrip=16, metadata=None)
        for level in (low, least):
            writer.write(tiles(level), shape=level.shape, dtype="uint8", description=text, **how)
    return path


def plan_bench(path: Path, origins: Origins, mpp: float, config: dict[str, Any]) -> Callable[[], int]:
    """Return what makes the fields whose finest tiles start at `origins` (finest pixels) and writes them to Parquet."""
    quiet = {"thresholds": {"focus_min": 0, "blank_std_min": 0, "inside_fraction_min": 0}, "measure_focus": False}
    settings = TilingConfig.model_validate(quiet | config)
    reader, _ = open_reader(str(path), settings.reader)
    scales = plan_scales(reader.geometry, (mpp, mpp), settings)
    reader.close()
    fields = []
    for origin in origins:
        centre = scales[0].centre(origin)
        starts = [origin, *(plan.origin(centre) for plan in scales[1:])]
        boxes = [plan.box_px0(start) for plan, start in zip(scales, starts, strict=True)]
        parts = [PlannedTile(*part, 1.0, 1.0, 0.0, 0.0) for part in zip(scales, starts, boxes, strict=True)]
        fields.append(PlannedField(f"field_{origin}", (round(centre[0]), round(centre[1])), tuple(parts)))
    source = SlideSource(path, path.name, path.name, "P", "0" * 64, 0, path.parent, mpp=mpp)

    def run() -> int:
        reader, _ = open_reader(str(path), settings.reader)
        slide = slide_record(source, reader.geometry, (mpp, mpp))
        with tempfile.TemporaryDirectory() as folder:
            out = ShardWriter(Path(folder))
            write_fields(slide, make_fields(reader, scales, fields, settings), settings, out)
            reader.close()
            return out.rows["tiles"]

    return run


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def loop(path: Path, boxes: Boxes, library: str, *, best_level: bool = False) -> Callable[[], int]:
    """Return the usual loop: read each box (level-0 pixels), resize to a tile, encode with Pillow."""

    def run() -> int:
        module = __import__(library)
        slide = (module.OpenSlide if library == "openslide" else module.TiffSlide)(path)
        with slide:
            for x, y, side in boxes:
                level = slide.get_best_level_for_downsample(side / TILE + 0.01) if best_level else 0
                part = round(side / slide.level_downsamples[level])
                image = slide.read_region((x, y), level, (part, part)).convert("RGB")
                _jpeg(image if part == TILE else image.resize((TILE, TILE), Image.Resampling.LANCZOS))
        return len(boxes)

    return run


def vips_fetch(path: Path, boxes: Boxes) -> Callable[[], int]:
    """Return libvips region fetches of native tiles, encoded by libjpeg-turbo."""

    def run() -> int:
        pyvips: Any = __import__("pyvips")
        image = pyvips.Image.new_from_file(str(path), access="random")
        region = pyvips.Region.new(image)
        for x, y, side in boxes:
            pixels = np.frombuffer(region.fetch(x, y, side, side), dtype=np.uint8).reshape(side, side, 3)
            simplejpeg.encode_jpeg(pixels, QUALITY, "RGB", "420")
        return len(boxes)

    return run


def vips_dzsave(path: Path, boxes: Boxes) -> Callable[[], int]:
    """Return libvips dzsave of the rectangle that the boxes fill, one level, into a folder."""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] for box in boxes) + TILE, max(box[1] for box in boxes) + TILE

    def run() -> int:
        pyvips: Any = __import__("pyvips")
        with tempfile.TemporaryDirectory() as folder:
            image = pyvips.Image.new_from_file(str(path), access="random").crop(left, top, right - left, bottom - top)
            options = {"tile_size": TILE, "overlap": 0, "depth": "one", "suffix": f".jpg[Q={QUALITY}]"}
            image.dzsave(f"{folder}/tiles", **options)
            return len(list(Path(folder).rglob("*.jpg")))

    return run


HISTOPREP = """
import json, sys, tempfile, time
from histoprep import SlideReader
path, boxes, quality = json.loads(sys.stdin.read())
reader = SlideReader(path)
with tempfile.TemporaryDirectory() as folder:
    started = time.process_time()
    reader.save_regions(folder, [(x, y, side, side) for x, y, side in boxes], quality=quality, save_thumbnails=False,
                        num_workers=1, verbose=False, overwrite=True)
    print(time.process_time() - started)
"""


def histoprep_seconds(python: str, path: Path, boxes: Boxes) -> float:
    """Return the CPU seconds of HistoPrep's own writing of tiles, in an environment of its own, without imports."""
    text = json.dumps([str(path), boxes, QUALITY])
    done = subprocess.run([python, "-c", HISTOPREP], input=text, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


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


def make_cases(path: Path, rows: int, centres: int, histoprep: str | None) -> list[Case]:
    """Return the three tasks with all contestants that are installed."""
    columns = 32
    native = [(column * TILE, row * TILE) for row in range(8, 8 + rows) for column in range(columns)]
    boxes = [(x, y, TILE) for x, y in native]
    first = Case("Tiles at the slide's own scale", len(boxes))
    first.add(OPENSLIDE, loop(path, boxes, "openslide"))
    first.add("tiffslide loop", loop(path, boxes, "tiffslide"))
    if importlib.util.find_spec("pyvips"):
        first.add(VIPS, vips_fetch(path, boxes))
        first.add("libvips dzsave", vips_dzsave(path, boxes))
    if histoprep:
        first.add_timed("HistoPrep save_regions", lambda: histoprep_seconds(histoprep, path, boxes))
    high = {"scales_mpp": {"high": 0.5}}
    first.add(OURS, plan_bench(path, native, 0.5, high | {"reader": "native"}))
    first.add(MEASURED, plan_bench(path, native, 0.5, high | {"reader": "native", "measure_focus": True}))
    first.add(PASSED, plan_bench(path, native, 0.5, high))

    half = [(x, y) for x, y in native if x < columns * TILE // 2 and y < (8 + rows // 2) * TILE]
    second = Case("0.5 um/px from 0.25 um/px", len(half))
    second.add(OPENSLIDE, loop(path, [(2 * x, 2 * y, 2 * TILE) for x, y in half], "openslide"))
    second.add(OURS, plan_bench(path, half, 0.25, high))

    scales = {"scales_mpp": {"low": 10.0, "mid": 2.5, "high": 0.5}, "reader": "native"}
    wide = centres // 8
    middles = [(8192 + TILE * column, 8192 + TILE * row) for row in range(8) for column in range(wide)]
    sides = {TILE: 1, 5 * TILE: 5, 20 * TILE: 20}
    aligned = [(x + TILE // 2 - side // 2, y + TILE // 2 - side // 2, side) for x, y in middles for side in sides]
    third = Case(f"Three aligned scales around {len(middles)} dense centres", len(aligned))
    some = [box for number, box in enumerate(aligned) if number // 3 % SHARE == 0]
    third.add(OPENSLIDE, loop(path, some, "openslide"), share=SHARE)
    third.add(BEST, loop(path, aligned, "openslide", best_level=True))
    third.add(OURS, plan_bench(path, middles, 0.5, scales))
    return [first, second, third]


def peak_mib(width: int, folder: Path) -> float:
    """Return the peak memory of tiling a slide of some width densely at three scales, in a process of its own."""
    path = write_slide(folder / "wide.svs", width // BLOCK * BLOCK, 8 * BLOCK, 0.5)
    code = (
        "import resource, sys, tempfile; from pathlib import Path; from tasks.store import ShardWriter\n"
        "from tasks.tiling.config import TilingConfig; from tasks.tiling.manifest import read_sources\n"
        "from tasks.tiling.shard import tile_slide\n"
        "config = TilingConfig.model_validate({'centres': {'kind': 'grid'}, 'thresholds': {'inside_fraction_min': 0.3}})\n"
        "out = ShardWriter(Path(tempfile.mkdtemp(dir=Path(sys.argv[1]).parent)))\n"
        "tile_slide(read_sources(Path(sys.argv[1]))[0][0], config, out)\n"
        "print(out.rows['tiles'], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    tiles, peak = done.stdout.split()
    print(f"\nPeak memory, {width:,} px wide, {int(tiles):,} tiles at three scales: {float(peak):,.0f} MiB")
    return float(peak)


def claims_of(cases: list[Case], peak: float) -> list[dict[str, Any]]:
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
    rows = []
    for claim, case, name, base, goal in wanted:
        if base in case.rates:
            value, least, most = case.ratio(name, base)
            rows.append({"claim": claim, "value": round(value, 2), "unit": "times the tiles per CPU second",
                         "goal": goal, "reached": value >= goal, "least": round(least, 2), "most": round(most, 2)})  # fmt: skip
    rows.append({"claim": "peak memory, 100,000 px wide", "value": round(peak), "unit": "MiB", "goal": 1024,
                 "reached": peak <= 1024})  # fmt: skip
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
        axis.barh(names, middles, color=["#009e73" if name.startswith("Slidesmith") else "#b8bcc4" for name in names])
        for row, value in enumerate(middles):
            axis.text(value * 1.06, row, f"{value:,.0f}", va="center", fontsize=8)
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
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--histoprep", help="Python interpreter of an environment with HistoPrep")
    options = parser.parse_args()
    rows, centres, rounds = (8, 32, 2) if options.quick else (32, 128, 5)
    width, height = (WIDTH // 2, HEIGHT // 2) if options.quick else (WIDTH, HEIGHT)
    with tempfile.TemporaryDirectory() as folder:
        path = write_slide(Path(folder) / "bench.svs", width, height, 0.5)
        print(f"Slide of {width:,} x {height:,} px, {path.stat().st_size / 2**20:,.0f} MiB")
        cases = make_cases(path, rows, centres, options.histoprep)
        for _ in range(rounds):
            for case in cases:
                case.round()
        for case in cases:
            case.show(OPENSLIDE)
        path.unlink()
        peak = peak_mib(25_000 if options.quick else 100_000, Path(folder))
    claims = claims_of(cases, peak)
    print()
    for claim in claims:
        print(
            f"  {'reached' if claim['reached'] else 'MISSED ':8}{claim['claim']:48}{claim['value']:>9} (goal {claim['goal']})"
        )
    if options.json:
        options.json.write_text(json.dumps(claims, indent=1) + "\n")
    if options.plot:
        plot(cases, options.plot)


if __name__ == "__main__":
    main()
