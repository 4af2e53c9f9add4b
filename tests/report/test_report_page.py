from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import simplejpeg

from schemas.records import Caption, Field, Perturbation, Provenance, Question
from tasks.report.contents import Contents, Example, StageCount, count_stages, time_stages
from tasks.report.page import render
from tasks.store import ShardInfo

SCRIPT = "<script>alert('caption')</script>"
MADE = Provenance("rules")


def example() -> Example:
    image = simplejpeg.encode_jpeg(np.full((16, 16, 3), 200, np.uint8))
    field = Field("field_1", "slide_1", "p1", 10, 10, organ="colon")
    caption = Caption("cap_1", "field_1", "slide_1", "p1", None, None, "full", f"Solid {SCRIPT} nests", 0, (), (), MADE)
    negative = Perturbation(
        "pert_1", "cap_1", "field_1", "p1", None, f"Papillary {SCRIPT} nests", "replace", "entity", 0, 5, "Papillary",
        None, None, True, "truth", 0.9, 0.8, True, MADE,
    )  # fmt: skip
    question = Question(
        "mcq_1", "field_1", "slide_1", "p1", "diagnosis", "t", "fixed", ("low",), "Which?", ("one", "two"), ("", ""), 1,
        "because", ("feat_1",), None, "diagnosis/t/rules", "train", 0, MADE,
    )  # fmt: skip
    return Example(field, [("low", 10.0, image)], [caption], [(caption, negative)], [question], None)


def shard(key: str, wall_s: float = 1.0) -> ShardInfo:
    return ShardInfo("tiling", key, {}, 5, 3, {"fold": 2}, {}, wall_s)


def contents(**changes: Any) -> Contents:
    scores = {"accuracy": 0.91, "interval": [0.88, 0.94], "n": 100, "chance": 0.25}
    measures = {"pairwise": scores, "multiple_choice": scores}
    values: dict[str, Any] = {
        "title": "Test 1.0.0",
        "headline": [("slides", "24")],
        "stages": [StageCount("tiling", "candidates", "fields", 10, 7, {"blurred": 2, "fold": 1}, 1, 0.5)],
        "overlays": [],
        "examples": [example()],
        "leaks": [{"cell": "c", "reader": "r", "n": 9, "accuracy": 0.25, "low": 0.2, "high": 0.3, "verdict": "pass"}],
        "history": [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}],
        "evaluation": {**measures, "blind": {**measures, "shuffled": measures}},
        "flagged": 3,
        "audited": 5,
        "release_path": "store/test/1.0.0",
        "fingerprint": "f" * 64,
        "slides": 24,
        "confidence": 0.9,
        "margin": 0.05,
        "times": time_stages([shard("a")]),
    }
    return Contents(**{**values, **changes})


def test_the_leak_table_tells_the_level_and_the_margin_of_the_run() -> None:
    assert "its 90% interval stays within 5 points of chance" in render(contents())
    page = render(contents(confidence=0.995, margin=0.125))
    assert "its 99.5% interval stays within 12.5 points of chance" in page
    assert ">99.5% interval</th>" in page
    assert "90%" not in page


def test_generated_text_cannot_run_as_script() -> None:
    page = render(contents())
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page


def test_the_page_refers_to_nothing_outside_itself() -> None:
    page = render(contents())
    for reference in ('src="http', 'href="http', "url(http", "@import"):
        assert reference not in page


def test_a_negative_shows_what_was_removed_and_what_was_put_in_its_place() -> None:
    page = render(contents())
    assert "<del>Solid</del><ins>Papillary</ins>" in page


def test_every_rejection_stands_in_the_funnel() -> None:
    page = render(contents())
    assert "blurred <b>2</b>" in page
    assert "fold <b>1</b>" in page


def test_equal_contents_give_equal_pages() -> None:
    assert render(contents()) == render(contents())


@pytest.mark.parametrize("missing", ["evaluation", "history", "examples", "leaks", "overlays", "times"])
def test_a_run_without_training_or_examples_still_has_its_page(missing: str) -> None:
    page = render(contents(**{missing: None if missing == "evaluation" else []}))
    assert "Funnel" in page


def test_the_funnel_adds_up_the_shards_of_a_stage() -> None:
    (row,) = count_stages([shard("a"), shard("b")])
    assert (row.items_in, row.items_out, row.rejected, row.shards) == (10, 6, {"fold": 4}, 2)


def test_times_are_summed_over_shards_and_the_slowest_is_named() -> None:
    rows = time_stages([shard("a", 1.5), shard("b", 2.0)])
    assert [(row.stage, row.shards, row.work_s, row.slowest_s) for row in rows] == [("tiling", 2, 3.5, 2.0)]
    page = render(contents(times=rows))
    assert "3.5 s" in page
    assert "2.0 s" in page


def test_a_page_that_cannot_hold_every_slide_says_so() -> None:
    overlay = ("a.svs", "3 fields; dropped: none", example().images[0][2])
    assert "1 slides of 2,000 that lost most" in render(contents(overlays=[overlay], slides=2000))
    assert "of every slide" in render(contents(overlays=[overlay], slides=1))


def test_a_model_that_does_not_see_is_named_on_the_page() -> None:
    assert 'class="warning"' not in render(contents())
    assert '<p class="warning">pairwise: no gain.</p>' in render(contents(warnings=["pairwise: no gain"]))
