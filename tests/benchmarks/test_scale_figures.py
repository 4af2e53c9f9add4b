"""What `benchmarks.scale` makes of its measurements, and how `benchmarks.drills` tells its outcomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import drills
from benchmarks._claims import Claim
from benchmarks._drill_line import Outcome
from benchmarks._scale_alone import Taken, first_slides
from benchmarks._scale_paper import Measured, paper
from benchmarks._scale_prefect import epochs
from benchmarks._scale_reruns import stage_seconds
from benchmarks._scale_tiling import TilingCost, fit
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


def test_tiling_is_split_into_what_pixels_and_what_fields_take() -> None:
    cost = TilingCost(slide_s=0.1, gigapixel_s=2.0, field_s=0.01)
    found = fit([(size, fields, cost.of(size, fields)) for size in (0.03, 0.25) for fields in (6, 31, 38)])
    assert (found.slide_s, found.gigapixel_s, found.field_s) == pytest.approx((0.1, 2.0, 0.01))
    assert cost.of(8.0, 38) == pytest.approx(16.48)


def _on_paper(screening_mib: float) -> dict[str, Claim]:
    in_one = {"questions": Taken(0.001, 0.01), "screening": Taken(0.0001, screening_mib)}
    rows = paper(Measured(TilingCost(0.1, 2.0, 0.01), {"texts": 0.01}, in_one, 0.05))
    return {row["claim"].removeprefix("on paper: "): row for row in rows}


def test_memory_is_the_bottleneck_where_no_machine_has_as_much() -> None:
    told = _on_paper(screening_mib=0.7)  # MiB a field: 3.8 million of them need 2,598 GiB
    assert told["memory of screening"]["value"] == pytest.approx(2597.66)
    assert told["the bottleneck is the memory of screening, where a machine has 256 GiB"]["value"] == 10.15
    assert told["slides for whose screening 256 GiB are enough"]["value"] == 9855
    assert "what takes longest is Prefect's part, in the process of the flow" in told


def test_the_longest_part_is_the_bottleneck_where_memory_is_enough() -> None:
    told = _on_paper(screening_mib=0.02)
    assert told["memory of screening"]["value"] == pytest.approx(74.22)
    assert told["tiling, on all cores"]["value"] == pytest.approx(100_000 * 16.48 / 512 / 3600, abs=0.01)
    assert "the bottleneck is Prefect's part, in the process of the flow" in told


def test_a_faster_demo_makes_the_long_run_train_longer() -> None:
    slow = {"tiling": 20.0, "features": 4.0, "texts": 10.0, "screening": 5.0, "model": 60.0}
    fast = {name: spent / 2 for name, spent in slow.items()}
    assert epochs({**slow, "screening": 500.0}, 24, 24) == 1
    assert epochs(fast, 24, 24) > 2 * epochs(slow, 24, 24) > 2


def test_the_first_slides_of_a_manifest_stand_beside_it(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path\na\nb\nc\n")
    assert first_slides(tmp_path / "manifest.csv", 2) == tmp_path / "first-2.csv"
    assert (tmp_path / "first-2.csv").read_text() == "path\na\nb\n"


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
