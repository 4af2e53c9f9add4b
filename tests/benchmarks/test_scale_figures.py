"""What `benchmarks.scale` makes of its measurements, and how `benchmarks.drills` tells its outcomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import drills
from benchmarks._drill_line import Outcome
from benchmarks._scale_reruns import stage_seconds
from benchmarks.scale import exponent, fitted

SIZES = [4, 8, 16, 32]


def test_a_straight_line_has_exponent_one_and_a_square_is_told_from_it() -> None:
    line, square = [3.0 + 2 * size for size in SIZES], [3.0 + size**2 for size in SIZES]
    assert fitted(SIZES, line) == pytest.approx((2.0, 3.0, 0.0))
    assert exponent(SIZES, line) == pytest.approx(1.0)
    assert exponent(SIZES, square) == pytest.approx(2.0)
    assert fitted(SIZES, square)[2] > 0.1


def test_the_work_of_a_run_is_summed_by_stage(tmp_path: Path) -> None:
    for stage, key, wall_s, rows in (
        ("tiling", "a", 2.0, {}),
        ("features", "a", 1.0, {"fields": 6}),
        ("features", "b", 0.5, {"fields": 5}),
    ):
        folder = tmp_path / stage / key
        folder.mkdir(parents=True)
        (folder / "shard.json").write_text(json.dumps({"stage": stage, "wall_s": wall_s, "rows": rows}))
    assert stage_seconds(tmp_path) == ({"tiling": 2.0, "features": 1.5}, 11)


def test_a_drill_that_ended_otherwise_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = Outcome("kill -9", "here", "went on", True), Outcome("kill -9", "there", "a | b\nc", False, 3.2)
    (told,) = drills.claims([good, bad])
    assert (told["value"], told["goal"], told["reached"]) == (1, "2", False)
    page = tmp_path / "drills.md"
    page.write_text(f"before\n{drills.BEGIN}old{drills.END}\nafter\n")
    monkeypatch.setattr(drills, "PAGE", page)
    drills.write_table([drills.row(good), drills.row(bad)], 0.5)
    text = page.read_text()
    assert "| kill -9 | there | a / b c | **NO** | 3 |\n<!-- outcomes: end -->\nafter\n" in text
    assert text.startswith("before\n<!-- outcomes: begin -->\nWritten by ")
    assert "old" not in text
