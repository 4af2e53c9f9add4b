from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from demo.scripted_endpoint import Body, Said, ScriptedEndpoint
from flows.commands.evaluate import command
from schemas.errors import BlindControlError, StageFailedError
from training.ask import UNSEEN, Asking, Prompt
from training.evaluate import require_sight
from training.release import Release
from training.report_page import evaluation_page
from training.tile_index import TileIndex

Answer = Callable[[Prompt], str | None]


@pytest.fixture(scope="module")
def asking(miniature: Path) -> Asking:
    return Asking(Release(miniature), "test", limit=24, seed=1)


def answered(asking: Asking, answer: Answer) -> list[str | None]:
    prompts: Sequence[Prompt] = asking.prompts()
    return [answer(prompt) for prompt in prompts]


def knowing(miniature: Path, asking: Asking) -> Answer:
    """A model that knows which field a set of tiles shows, and without tiles always says A."""
    index = TileIndex(Release(miniature), "test")
    right = {item.item_id: (item.field_id, item.options[item.answer]) for row in asking.items.values() for item in row}

    def answer(prompt: Prompt) -> str:
        field_id, option = right[prompt.item_id.split(":")[0]]
        lines = [line for line in prompt.text.splitlines() if line.endswith(f". {option}")]
        return lines[0] if prompt.images == tuple(index.tiles(field_id).values()) else "A"

    return answer


def test_a_model_that_knows_the_tiles_is_right_under_every_rotation(miniature: Path, asking: Asking) -> None:
    report = asking.report(answered(asking, knowing(miniature, asking)))
    for name in ("pairwise", "multiple_choice"):
        assert (report[name]["accuracy"], report[name]["circular"]["accuracy"]) == (1, 1)
        assert report["blind"][name]["circular"]["accuracy"] == 0
    require_sight(report)
    assert report["unusable"] == {"image": 0, "blind": 0, "shuffled": 0}


def test_a_model_that_likes_a_letter_scores_chance_and_nothing_circular(asking: Asking) -> None:
    report = asking.report(answered(asking, lambda _prompt: "(b)"))
    assert (report["pairwise"]["accuracy"], report["multiple_choice"]["accuracy"]) == (0.5, 0.25)
    assert report["multiple_choice"]["circular"]["accuracy"] == 0
    with pytest.raises(BlindControlError):
        require_sight(report)


def test_an_answer_that_names_no_option_is_counted_and_wrong(asking: Asking) -> None:
    report = asking.report(answered(asking, lambda prompt: None if prompt.images else "I cannot tell"))
    assert report["multiple_choice"]["accuracy"] == 0
    assert sum(report["unusable"].values()) == len(asking.prompts())


def test_shuffled_tiles_are_those_of_another_patient_and_blind_prompts_have_none(
    miniature: Path, asking: Asking
) -> None:
    index = TileIndex(Release(miniature), "test")
    items = {item.item_id: item for row in asking.items.values() for item in row}
    owners = {item.field_id: item.patient_id for item in items.values()}
    shown = {index.tiles(field_id)["low"]: patient for field_id, patient in owners.items()}
    for prompt in asking.prompts():
        item_id, control, _ = prompt.item_id.split(":")
        if control == "blind":
            assert prompt.images == ()
            assert UNSEEN in prompt.text
        else:
            assert (shown[prompt.images[0]] == items[item_id].patient_id) == (control == "image")


def test_an_endpoint_is_evaluated_from_the_command_line(miniature: Path, tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the extra [llm] is not installed")
    asking = Asking(Release(miniature), "test", limit=6, seed=0)
    answer = knowing(miniature, asking)
    texts = {(prompt.text, prompt.images): prompt for prompt in asking.prompts()}

    def model(body: Body) -> Said:
        parts = body["messages"][0]["content"]
        if isinstance(parts, str):
            return Said(answer(texts[parts, ()]) or "")
        urls = [part["image_url"]["url"].removeprefix("data:image/jpeg;base64,") for part in parts[1:]]
        return Said(answer(texts[parts[0]["text"], tuple(map(base64.b64decode, urls))]) or "")

    settings, out, page = tmp_path / "endpoint.yaml", tmp_path / "out.json", tmp_path / "out.html"
    with ScriptedEndpoint(model) as server:
        settings.write_text(yaml.safe_dump({"base_url": server.url, "model": "scripted"}))
        given = [str(miniature), "--endpoint", str(settings), "--limit", "6", "--work", str(tmp_path / "work")]
        dry = CliRunner().invoke(command, [*given, "--dry-run", "--json"])
        assert (dry.exit_code, json.loads(dry.output)["calls"], server.calls) == (0, len(texts), [])
        done = CliRunner().invoke(command, [*given, "--out", str(out), "--html", str(page)])
        assert (done.exit_code, len(server.calls)) == (0, len(texts))
        # A budget that ends before the controls: what was never asked is no wrong answer.
        settings.write_text(
            yaml.safe_dump({"base_url": server.url, "model": "m", "budget": {"calls": len(texts) // 3}})
        )
        cut = CliRunner().invoke(command, [*given, "--work", str(tmp_path / "cut")])
        assert isinstance(cut.exception, StageFailedError)
        assert f"of {len(asking.prompts())} prompts got no answer: over_budget" in str(cut.exception)
    report = json.loads(out.read_text())
    assert report["model"] == "scripted"
    assert (report["pairwise"]["n"], report["pairwise"]["circular"]["accuracy"]) == (6, 1)
    assert page.read_text() == evaluation_page(report)
