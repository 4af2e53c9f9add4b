"""The slide that tiling is measured on, and everything that makes tiles from it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2  # noqa: F401 - loaded before the first clock runs
import numpy as np
import simplejpeg
from PIL import Image

from tasks.store import ShardWriter
from tasks.tiling.config import TilingConfig
from tasks.tiling.engine import write_fields
from tasks.tiling.fields import PlannedField, PlannedTile
from tasks.tiling.manifest import SlideSource
from tasks.tiling.readers.choice import open_reader
from tasks.tiling.rows import slide_record
from tasks.tiling.scales import plan_scales

TILE, QUALITY, BLOCK = 256, 80, 1024
STORED_QUALITY = 70  # 11.5 kB per tile; the real slide CMU-1 stores 11.2 kB for as many pixels
Origins = list[tuple[int, int]]
Boxes = list[tuple[int, int, int]]


def paint_canvas(side: int = 2048) -> Any:
    """Return tissue as detailed as H&E at 0.5 um/px is stored by scanners, 11 kB per tile, shape (side, side, 3)."""
    rng = np.random.default_rng(0)

    def smooth(grain: int) -> Any:
        coarse = Image.fromarray(rng.random((side // grain, side // grain), dtype=np.float32))
        return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))[..., None]

    nuclei = np.clip((smooth(10) - 0.6) * 7, 0, 1)
    eosin = np.array([218, 150, 190]) + (smooth(64) - 0.5) * 70 + (smooth(6) - 0.5) * 40
    tissue = eosin * (1 - nuclei) + np.array([100, 62, 140]) * nuclei + rng.normal(0, 1.0, (side, side, 1))
    return np.clip(tissue, 0, 255).astype(np.uint8)


def write_slide(path: Path, width: int, height: int, mpp: float, seed: int = 1) -> Path:
    """Write an Aperio slide (levels 1x, 4x, 16x) of blocks cut from one canvas at seeded places."""
    import tifffile

    canvas = paint_canvas()
    quarter = np.asarray(Image.fromarray(canvas).reduce(4))
    rng = np.random.default_rng(seed)
    columns, rows = width // BLOCK, height // BLOCK
    places = rng.integers(0, (len(canvas) - BLOCK) // 16, size=(rows, columns, 2)) * 16

    def tiles(pixels: Any) -> Iterator[bytes]:
        for y in range(0, pixels.shape[0], TILE):
            for x in range(0, pixels.shape[1], TILE):
                tile = np.ascontiguousarray(pixels[y : y + TILE, x : x + TILE])
                if tile.shape != (TILE, TILE, 3):
                    tile = np.pad(tile, ((0, TILE - tile.shape[0]), (0, TILE - tile.shape[1]), (0, 0)), mode="edge")
                yield simplejpeg.encode_jpeg(tile, STORED_QUALITY, "RGB", "420")

    def full() -> Iterator[bytes]:
        for row in range(rows):
            band = [canvas[y : y + BLOCK, x : x + BLOCK] for y, x in places[row]]
            yield from tiles(np.concatenate(band, axis=1))

    small = [[quarter[y // 4 : y // 4 + TILE, x // 4 : x // 4 + TILE] for y, x in places[row]] for row in range(rows)]
    low = np.concatenate([np.concatenate(row, axis=1) for row in small])
    least = np.asarray(Image.fromarray(low).reduce(4))
    text = f"Aperio Image Library v12.0.1\r\n{width}x{height} ({TILE}x{TILE}) JPEG/RGB|AppMag = 20|MPP = {mpp}"
    how: dict[str, Any] = {
        "tile": (TILE, TILE),
        "compression": "jpeg",
        "photometric": "ycbcr",
        "subsampling": (2, 2),
        "metadata": None,
    }
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
        parts = [PlannedTile(*part, 1.0, 1.0, 0.0, 0.0) for part in zip(scales, starts, strict=True)]
        fields.append(PlannedField(f"field_{origin}", (round(centre[0]), round(centre[1])), tuple(parts)))
    source = SlideSource(path, path.name, path.name, "P", "0" * 64, 0, path.parent, mpp=mpp)

    def run() -> int:
        reader, _ = open_reader(str(path), settings.reader)
        slide = slide_record(source, reader.geometry, (mpp, mpp))
        with tempfile.TemporaryDirectory() as folder:
            out = ShardWriter(Path(folder))
            write_fields(reader, slide, scales, fields, settings, out)
            reader.close()
            return out.rows["tiles"]

    return run


def blocks_under(boxes: Boxes, block_px0: int) -> int:
    """Return how many stored tiles, so many level-0 pixels wide, lie under boxes."""
    return len(
        {
            (column, row)
            for x, y, side in boxes
            for column in range(x // block_px0, (x + side - 1) // block_px0 + 1)
            for row in range(y // block_px0, (y + side - 1) // block_px0 + 1)
        }
    )


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


TILE_WHOLE = """
import sys, tempfile
from pathlib import Path
from tasks.store import ShardWriter
from tasks.tiling.config import TilingConfig
from tasks.tiling.manifest import read_sources
from tasks.tiling.shard import tile_slide
path = Path(sys.argv[1])
config = TilingConfig.model_validate({"centres": {"kind": "grid"}, "thresholds": {"inside_fraction_min": 0.3}})
out = ShardWriter(Path(tempfile.mkdtemp(dir=path.parent)))
tile_slide(read_sources(path)[0][0], config, out)
status = Path("/proc/self/status").read_text().split()  # ru_maxrss would begin with that of the process that forked
print(out.rows["tiles"], int(status[status.index("VmHWM:") + 1]) / 1024)
"""


def peak_mib(width: int, folder: Path) -> float:
    """Return the peak memory of tiling a slide of some width densely at three scales, in a process of its own."""
    path = write_slide(folder / "wide.svs", width // BLOCK * BLOCK, 8 * BLOCK, 0.5)
    done = subprocess.run([sys.executable, "-c", TILE_WHOLE, str(path)], capture_output=True, text=True, check=True)
    tiles, peak = done.stdout.split()
    print(f"\nPeak memory, {width:,} px wide, {int(tiles):,} tiles at three scales: {float(peak):,.0f} MiB")
    return float(peak)
