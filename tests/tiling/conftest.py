"""Synthetic slides for the tests of tiling: small, seeded, in every stored form that the readers tell apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tasks.store import Shard, ShardStore
from tasks.tiling.config import TilingConfig
from tasks.tiling.manifest import SlideSource, read_sources
from tasks.tiling.shard import tile_slide

Rgb = NDArray[np.uint8]
GLASS = (243, 241, 244)


def _smooth(rng: np.random.Generator, width: int, height: int, grain: int) -> NDArray[np.float32]:
    coarse = rng.random((height // grain + 3, width // grain + 3), dtype=np.float32)
    image = Image.fromarray(coarse).resize((width + 2 * grain, height + 2 * grain), Image.Resampling.BICUBIC)
    return np.asarray(image)[grain : grain + height, grain : grain + width]


def paint_tissue(width: int, height: int, seed: int = 0, margin: float = 0.1) -> Rgb:
    """Return glass with one piece of stained tissue in the middle: eosin, nuclei, texture; shape (height, width, 3)."""
    rng = np.random.default_rng(seed)
    eosin = np.array([222, 152, 190], dtype=np.float32)
    nuclei = np.array([105, 62, 140], dtype=np.float32)
    share = np.clip((_smooth(rng, width, height, 9) - 0.55) * 6, 0, 1)[..., None]
    tissue = eosin * (1 - share) + nuclei * share
    tissue += (_smooth(rng, width, height, 3)[..., None] - 0.5) * 60
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = ((x / width - 0.5) / (0.5 - margin)) ** 2 + ((y / height - 0.5) / (0.5 - margin)) ** 2
    image = np.where((radius < 1)[..., None], tissue, np.array(GLASS, dtype=np.float32))
    image += rng.normal(0, 1.5, size=(height, width, 1)).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_slide(
    path: Path,
    pixels: Rgb,
    *,
    mpp: float | tuple[float, float] | None = 0.5,
    levels: Sequence[int] = (1, 4),
    tile: int | None = 256,
    compression: str = "jpeg",
    photometric: str = "ycbcr",
    subsampling: tuple[int, int] = (2, 2),
    quality: int = 85,
    vendor: str = "aperio",
    bigtiff: bool = False,
) -> Path:
    """Write pixels as a pyramid that OpenSlide opens as Aperio (mpp in its description) or generic TIFF (in tags)."""
    arguments: dict[str, Any] = {"metadata": None, "photometric": "rgb"}
    if compression == "jpeg":
        arguments |= {"compression": "jpeg", "compressionargs": {"level": quality, "outcolorspace": photometric}}
        if photometric == "ycbcr":
            arguments["subsampling"] = subsampling
    elif compression != "none":
        arguments["compression"] = compression
    arguments |= {"tile": (tile, tile)} if tile else {"rowsperstrip": 16}
    mpp_x, mpp_y = mpp if isinstance(mpp, tuple) else (mpp, mpp)
    if vendor != "aperio" and mpp_x and mpp_y:
        arguments |= {"resolution": (10_000 / mpp_x, 10_000 / mpp_y), "resolutionunit": "CENTIMETER"}
    height, width = pixels.shape[:2]
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        head = f"Aperio Image Library v12.0.1\r\n{width}x{height} (256x256) JPEG/RGB Q={quality}"
        for factor in levels:
            level = np.asarray(Image.fromarray(pixels).reduce(factor)) if factor > 1 else pixels
            if vendor == "aperio":
                scale = f"|MPP = {mpp_x}" if mpp_x else ""
                arguments["description"] = f"{head}|AppMag = 20{scale}"
            writer.write(level, **arguments)
            if vendor == "aperio" and factor == 1:  # Aperio's second directory is the thumbnail, in strips
                thumbnail = np.asarray(Image.fromarray(pixels).reduce(16))
                writer.write(thumbnail, photometric="rgb", rowsperstrip=16, metadata=None, description=head)
    return path


@pytest.fixture(scope="session")
def paint() -> Callable[..., Rgb]:
    """Return the painter of tissue."""
    return paint_tissue


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """Return the writer of slides."""
    return write_slide


@pytest.fixture(scope="session")
def plain_slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an Aperio slide of 1600 x 1200 px at 0.5 um/px with two levels and nothing wrong with it."""
    return write_slide(tmp_path_factory.mktemp("slides") / "plain.svs", paint_tissue(1600, 1200))


@pytest.fixture
def source_of() -> Callable[..., SlideSource]:
    """Return a function that reads one slide file as a source, with columns of the manifest changed at will."""

    def read(path: Path, **changes: Any) -> SlideSource:
        sources, rejections = read_sources(path)
        assert not rejections
        return replace(sources[0], **changes)

    return read


@pytest.fixture
def tile(tmp_path: Path, source_of: Callable[..., SlideSource]) -> Callable[..., Shard]:
    """Return a function that tiles one slide into a shard of its own."""
    store = ShardStore(tmp_path / "store")
    made: list[int] = []

    def run(path: Path | SlideSource, **config: Any) -> Shard:
        source = path if isinstance(path, SlideSource) else source_of(path)
        made.append(1)
        settings = TilingConfig(**config)
        info, found = store.ensure("tiling", f"{len(made):032d}", lambda out: tile_slide(source, settings, out))
        assert not found
        shard = store.find("tiling", info.key)
        assert shard is not None
        return shard

    return run


SMALL: dict[str, Any] = {
    "scales_mpp": {"low": 4.0, "mid": 2.0, "high": 0.5},
    "tile_px": 64,
    "centres": {"kind": "grid"},
}


@pytest.fixture
def small() -> dict[str, Any]:
    """Return a configuration with small tiles at three scales, so that small slides hold many fields."""
    return dict(SMALL)
