from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo.scripted_endpoint import Body, Fault, Said, ScriptedEndpoint, last_words
from schemas.errors import EndpointError, InputError, StageFailedError
from tasks.screening.causal_model import load_model
from tasks.screening.config import EndpointReaderConfig, LanguageModelConfig, ScreeningConfig
from tasks.screening.endpoint_reader import EndpointReader, endpoint_readers
from tasks.screening.items import Item, Panel, panel_of
from tasks.screening.language_model import LanguageModelReader
from tasks.screening.outside import outside_readers, outside_writer
from tasks.screening.planted import planted_items
from tasks.screening.screen import screen
from tasks.screening.stored_scores import StoredScores

pytest.importorskip("openai")
torch = pytest.importorskip("torch")

Model = Callable[[Body], Said]
Readers = Callable[..., list[EndpointReader]]


@pytest.fixture
def connect(tmp_path: Path) -> Readers:
    def make(server: ScriptedEndpoint, **settings: Any) -> list[EndpointReader]:
        endpoint = {"base_url": server.url, "model": "small", "backoff_s": 0.005, "concurrency": 4}
        endpoint |= settings.pop("endpoint", {})
        config = {"endpoint": endpoint, "folder": tmp_path / "asked", "modes": ("letters",), **settings}
        return endpoint_readers(EndpointReaderConfig.model_validate(config))

    return make


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of([item for k in (2, 4, 5) for item in planted_items("length", 0.5, 4, seed=k, k=k)])


@pytest.fixture(scope="module")
def small(tiny_model: Path) -> Model:
    """A served model: what it is asked goes through a real tokenizer and a real network."""
    loaded = load_model(LanguageModelConfig(model=tiny_model, device="cpu"))

    def say(body: Body) -> Said:
        text = last_words(body)
        letters = "".join(line[0] for line in text.splitlines() if line[1:3] == ". ")
        tokens = torch.tensor([loaded.start(text)])
        with torch.inference_mode():
            logits = loaded.model(input_ids=tokens).logits[0, -1, loaded.letter_tokens(len(letters))].float()
        log_p = torch.log_softmax(logits, dim=0).tolist()
        best = letters[int(np.argmax(log_p))]
        return Said(f"{best}.", dict(zip(letters, log_p, strict=True)) if body.get("logprobs") else {})

    return say


def test_a_served_model_scores_as_the_same_model_in_a_folder(
    connect: Readers, small: Model, panel: Panel, tiny_model: Path
) -> None:
    loaded = load_model(LanguageModelConfig(model=tiny_model, device="cpu"))
    with ScriptedEndpoint(small) as server:
        for reader in connect(server, modes=("letters", "options")):
            here = LanguageModelReader(loaded, reader.mode, 4000, StoredScores(None)).read(panel)
            assert np.abs(reader.read(panel) - here).max() < 1e-5
        assert len(server.calls) == 2 * int((panel.sizes).sum())
        assert server.calls[0].body["top_logprobs"] == 20


def test_without_probabilities_answers_are_votes_and_more_samples_are_more_votes(connect: Readers) -> None:
    items = planted_items("word", 1.0, 3, seed=2)
    shy = planted_items("none", 0.0, 1, seed=2)[0]
    with ScriptedEndpoint(knows("characteristic")) as server:
        panel = panel_of([*items, shy])
        scores = connect(server, logprobs=False)[0].read(panel).reshape(4, 4)
        assert "logprobs" not in server.calls[0].body
        assert [int(row.argmax()) for row in scores[:3]] == [item.key for item in items]
        assert scores[3] == pytest.approx(scores[3, 0])  # the first letter in every rotation: no option is preferred
        connect(server, logprobs=False, samples=3)[0].read(panel)
        assert len(server.calls) == 4 * 4 * (1 + 3)
        assert {call.body.get("seed", 0) for call in server.calls[16:]} == {0, 1, 2}
        assert {call.body["temperature"] for call in server.calls[16:]} == {1.0}


def knows(word: str) -> Model:
    """A model that chooses the option with a word, and the first one where there is none."""

    def say(body: Body) -> Said:
        lines = [line for line in last_words(body).splitlines() if line[1:3] == ". "]
        return Said(next((line[0] for line in lines if word in line), "A"))

    return say


def test_a_word_that_a_model_goes_by_fails_the_cell_and_throttling_changes_nothing(connect: Readers) -> None:
    def trouble(digest: str, before: int) -> Fault | None:
        faults: dict[str, Fault] = {"0": "throttle", "1": "fail", "2": "garbage"}
        return faults.get(digest[0]) if before == 0 else None

    items = planted_items("word", 0.6, 60, seed=2)
    config = ScreeningConfig(families=("prior",), certifier=None, permutations=199)
    with ScriptedEndpoint(knows("characteristic"), trouble) as server:
        found = screen(items, config, connect(server))
        row = next(row for row in found.rows if row.reader == "small letters")
        assert (row.family, row.verdict) == ("endpoint", "fail")
        assert set(server.answered().values()) == {1}
        assert len(server.answered()) == 4 * len(items)
        assert found.board.unread == {}
        before = len(server.calls)
        again = screen(items, config, connect(server))  # a rerun asks nothing
        assert len(server.calls) == before
        assert np.array_equal(again.board.values, found.board.values)


def test_a_reading_that_was_stopped_asks_only_what_is_left(connect: Readers, small: Model, panel: Panel) -> None:
    def stop(digest: str, before: int) -> Fault | None:
        return "unauthorised" if len(server.answered()) >= 20 and not open_again else None

    open_again: list[bool] = []
    with ScriptedEndpoint(small, stop) as server:
        with pytest.raises(EndpointError, match="does not accept the key"):
            connect(server)[0].read(panel)
        done = len(server.answered())
        open_again.append(True)
        connect(server)[0].read(panel)
        assert 20 <= done < len(server.answered()) == int((panel.sizes).sum())
        assert set(server.answered().values()) == {1}


def test_a_question_without_an_answer_is_counted_and_told_apart_from_a_guess(connect: Readers) -> None:
    items = planted_items("word", 1.0, 30, seed=2)
    odd = replace(items[3], question="Unspeakable?")

    def shy(body: Body) -> Said:
        return Said("I would rather not") if "Unspeakable" in last_words(body) else knows("characteristic")(body)

    asked: list[Item] = [*items[:3], odd, *items[4:]]
    config = ScreeningConfig(families=("prior",), certifier=None, permutations=199)
    with ScriptedEndpoint(shy) as server:
        found = screen(asked, config, connect(server))
        assert found.board.unread == {"small letters": 1}
        assert found.summary()["unread"] == {"small letters": 1}
    with ScriptedEndpoint(lambda _body: Said("no idea")) as server, pytest.raises(StageFailedError, match="30 of 30"):
        connect(server, endpoint={"model": "mute"})[0].read(panel_of(items))


def test_the_configuration_makes_readers_and_two_of_one_name_are_told_apart(
    small: Model, tiny_model: Path, tmp_path: Path
) -> None:
    items = planted_items("length", 0.5, 12, seed=1)
    with ScriptedEndpoint(small) as server:
        served = {"base_url": server.url, "model": "tiny"}
        config = ScreeningConfig.model_validate(
            {
                "families": ["prior"],
                "certifier": None,
                "permutations": 199,
                "language_model": {"model": tiny_model, "device": "cpu", "modes": ["letters"]},
                "endpoint": {"endpoint": served, "modes": ["letters"]},
                "writer": served,
            }
        )
        found = screen(items, config, outside_readers(config, tmp_path))
    assert found.board.names[-2:] == ("tiny letters", "tiny letters #2")
    assert np.abs(found.board.values[:, -1] - found.board.values[:, -2]).max() < 1e-5
    assert outside_writer(ScreeningConfig(), tmp_path, tmp_path / "lexicon.parquet") is None
    assert outside_readers(ScreeningConfig()) == []
    plain = str(config.portable())
    assert server.url not in plain
    assert str(tmp_path) not in plain
    assert "'model': 'tiny'" in plain


def test_answers_need_a_folder() -> None:
    config = EndpointReaderConfig.model_validate({"endpoint": {"base_url": "http://localhost/v1", "model": "m"}})
    with pytest.raises(InputError, match="need a folder"):
        endpoint_readers(config)
