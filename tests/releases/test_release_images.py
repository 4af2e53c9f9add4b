"""Images: what is decoded, what looks alike, and what does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from schemas.arrow import to_table
from schemas.records import Tile
from tasks.releases.config import GateBounds
from tasks.releases.duplicates import near_duplicates
from tasks.releases.images import Images, inspect_images, perceptual_hashes
from tasks.releases.likeness import ImageReader, detail_likeness
from tasks.store import write_parquet

Rows = dict[str, list[Any]]
BOUNDS = GateBounds()


def picture(seed: int, side: int = 128) -> np.ndarray:
    """Coarse colour over fine noise, as tissue has both."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.uniform(40, 220, (8, 8, 3)), np.ones((side // 8, side // 8, 1)))
    return np.asarray(np.clip(coarse + rng.normal(0, 12, (side, side, 3)), 0, 255), np.uint8)


def encoded(pixels: np.ndarray, quality: int = 85) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=quality))


def seen(folder: Path, tile: Tile, images: list[bytes], workers: int = 2) -> Images:
    tiles = []
    for at, image in enumerate(images):
        height, width, _, _ = simplejpeg.decode_jpeg_header(image)
        tiles.append(replace(tile, tile_id=f"tile_{at}", image=image, width_px=width, height_px=height))
    write_parquet(to_table(tiles, Tile), folder / "tiles.parquet")
    return inspect_images([folder / "tiles.parquet"], workers)


def reader(folder: Path) -> ImageReader:
    return ImageReader([folder / "tiles.parquet"])


class Alone(ImageReader):
    """Gives one picture for all, so that hashes alone decide."""

    def __init__(self) -> None:
        super().__init__([])

    def grey(self, at: int) -> np.ndarray:
        return np.asarray(np.random.default_rng(0).uniform(0, 255, (256, 256)), np.float32)


ORIENTATIONS = {
    "as it is": lambda p: p,
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "turned by 180 degrees": lambda p: p[::-1, ::-1],
    "transposed": lambda p: p.transpose(1, 0, 2),
    "turned by 90 degrees": lambda p: np.rot90(p, 1),
    "turned by 270 degrees": lambda p: np.rot90(p, 3),
    "transposed on the other diagonal": lambda p: np.rot90(p, 2).transpose(1, 0, 2),
}


@pytest.mark.parametrize("turn", ORIENTATIONS)
def test_a_copy_is_found_in_every_orientation_and_after_new_compression(turn: str, rows: Rows, tmp_path: Path) -> None:
    original = picture(1)
    copy = encoded(ORIENTATIONS[turn](original), quality=55)
    images = seen(tmp_path, rows["tiles"][0], [encoded(original), copy, encoded(picture(2))])
    (pair,) = near_duplicates(images, ["train", "test", "test"], reader(tmp_path), BOUNDS)
    assert (pair.first, pair.second) == (0, 1)
    assert pair.correlation >= BOUNDS.near_duplicate_correlation
    assert pair.detail >= BOUNDS.near_duplicate_detail


def on_white(inside: np.ndarray) -> np.ndarray:
    """Tissue to the right of a curved edge, white fill beyond it."""
    side = inside.shape[0]
    y, x = np.mgrid[:side, :side]
    return np.where((x > side * (0.45 + 0.1 * np.sin(y / side * 5)))[:, :, None], inside, 255).astype(np.uint8)


def tissue(seed: int, side: int = 256) -> np.ndarray:
    """Even colour with fine structure, as a tile of one kind of tissue has."""
    rng = np.random.default_rng(seed)
    fine = np.kron(rng.normal(0, 14, (side // 4, side // 4, 1)), np.ones((4, 4, 3)))
    return np.asarray(np.clip(np.array([180.0, 120.0, 170.0]) + fine, 0, 255))


def test_other_tissue_in_the_same_outline_on_white_is_not_a_copy_but_the_same_tissue_is(
    rows: Rows, tmp_path: Path
) -> None:
    first, other = (on_white(tissue(seed)) for seed in (1, 2))
    images = seen(tmp_path, rows["tiles"][0], [encoded(first), encoded(other), encoded(first, quality=50)])
    assert int(np.bitwise_count(images.hashes[0, 0] ^ images.hashes[1, 0])) <= BOUNDS.near_duplicate_bits
    flat = images.thumbnails.reshape(3, -1).astype(float)
    assert np.corrcoef(flat)[0, 1] > BOUNDS.near_duplicate_correlation  # so hash and thumbnail alone would refuse it
    pairs = near_duplicates(images, ["train", "test", "val"], reader(tmp_path), BOUNDS)
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2)]


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 4, 5])
def test_detail_agrees_over_small_shifts_and_only_for_the_same_tissue(shift: int) -> None:
    first, other = (tissue(seed).mean(axis=2).astype(np.float32) for seed in (1, 2))
    assert detail_likeness(first, np.roll(first, (shift, shift), (0, 1))) > 0.9
    assert detail_likeness(first, np.roll(other, (shift, shift), (0, 1))) < 0.2


def test_a_darker_or_slightly_shifted_copy_is_found(rows: Rows, tmp_path: Path) -> None:
    original = picture(3)
    darker = np.asarray(original * 0.8, np.uint8)
    shifted = np.roll(original, (1, 1), axis=(0, 1))
    images = seen(tmp_path, rows["tiles"][0], [encoded(original), encoded(darker), encoded(shifted)])
    pairs = near_duplicates(images, ["train", "test", "val"], reader(tmp_path), BOUNDS)
    assert {(pair.first, pair.second) for pair in pairs} == {(0, 1), (0, 2), (1, 2)}


def test_copies_within_a_split_and_rows_without_a_split_are_nobody_s_leak(rows: Rows, tmp_path: Path) -> None:
    images = seen(tmp_path, rows["tiles"][0], [encoded(picture(1))] * 3)
    assert near_duplicates(images, ["train", "train", None], reader(tmp_path), BOUNDS) == []


def test_different_images_are_not_alike(rows: Rows, tmp_path: Path) -> None:
    images = seen(tmp_path, rows["tiles"][0], [encoded(picture(seed)) for seed in range(60)])
    splits = ["train", "val", "test"] * 20
    assert near_duplicates(images, list(splits), reader(tmp_path), BOUNDS) == []


def test_blank_images_say_nothing(rows: Rows, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    blank = [encoded(np.asarray(rng.normal(242, 1, (128, 128, 3)), np.uint8)) for _ in range(2)]
    images = seen(tmp_path, rows["tiles"][0], blank)
    assert near_duplicates(images, ["train", "test"], reader(tmp_path), BOUNDS) == []


@given(seed=st.integers(0, 10_000), bits=st.integers(0, 12), n=st.integers(2, 40))
@settings(max_examples=30, deadline=None)
def test_bands_find_exactly_the_pairs_that_comparing_all_finds(seed: int, bits: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2**63, n, dtype=np.uint64)
    for at in range(1, n, 2):  # near neighbours at every distance up to 14
        flips = rng.permutation(64)[: rng.integers(0, 15)]
        base[at] = base[at - 1] ^ np.bitwise_or.reduce(np.uint64(1) << flips.astype(np.uint64), initial=np.uint64(0))
    hill = np.minimum(np.arange(16), np.arange(16)[::-1]).astype(np.uint8) * 8  # the same in every orientation
    thumbnails = np.tile(np.add.outer(hill, hill), (n, 1, 1))
    other = rng.integers(0, 2**63, (n, 7), dtype=np.uint64)
    images = Images([str(at) for at in range(n)], [""] * n, [""] * n, np.column_stack([base, other]), thumbnails)
    within = GateBounds(near_duplicate_bits=bits, near_duplicate_correlation=1e-9, near_duplicate_detail=0.0)
    splits = ["train" if at % 2 else "test" for at in range(n)]
    found = {(p.first, p.second) for p in near_duplicates(images, splits, Alone(), within)}
    every = images.hashes
    expected = {
        (min(i, j), max(i, j))
        for i in range(1, n, 2)  # train, as it is
        for j in range(0, n, 2)  # test, in any orientation
        if np.bitwise_count(every[i, 0] ^ every[j]).min() <= bits
    }
    assert found == expected


@pytest.mark.parametrize("seed", range(6))
def test_hashes_are_those_of_the_imagehash_package_but_for_borderline_bits(seed: int) -> None:
    pixels = picture(seed)
    grey = np.asarray(Image.fromarray(pixels).convert("L").resize((32, 32), Image.Resampling.BOX), np.float32)
    theirs = np.packbits(imagehash.phash(Image.fromarray(grey.astype(np.uint8))).hash.ravel()).view(">u8")[0]
    ours = perceptual_hashes(grey[None])[0, 0]
    assert int(np.bitwise_count(np.uint64(theirs) ^ ours)) <= 2


@given(at=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.booleans())
@settings(max_examples=150, deadline=None)
def test_whatever_a_full_decode_refuses_the_quick_one_refuses_too(at: int, bit: int, cut: bool) -> None:
    from tasks.releases.images import _decode

    whole = bytearray(encoded(picture(5, 64)))
    damaged = bytes(whole[: at % len(whole)]) if cut else bytes(_flip(whole, at % len(whole), bit))
    try:
        pixels = simplejpeg.decode_jpeg(damaged, colorspace="RGB")
        height, width = pixels.shape[:2]
        sound = True
    except ValueError:
        sound, height, width = False, 64, 64
    problem, _ = _decode(damaged, width, height)
    assert (problem == "") == sound


def _flip(data: bytearray, at: int, bit: int) -> bytearray:
    data[at] ^= 1 << bit
    return data


def test_the_result_does_not_depend_on_the_number_of_workers(rows: Rows, tmp_path: Path) -> None:
    images = [encoded(picture(seed, 64)) for seed in range(20)]
    one, four = (seen(tmp_path, rows["tiles"][0], images, workers) for workers in (1, 4))
    assert np.array_equal(one.hashes, four.hashes)
    assert one.sha256 == four.sha256
    assert np.array_equal(one.thumbnails, four.thumbnails)
