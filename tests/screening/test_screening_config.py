from __future__ import annotations

from pathlib import Path

import pytest

from flows.config import load_section
from schemas.errors import ConfigError
from tasks.screening.config import ScreeningConfig

MODELS = "language_model: {model: models/small, scores: asked.jsonl}\nlora: {model: /elsewhere/large}\n"


def test_what_is_published_names_the_models_and_no_folder(tmp_path: Path) -> None:
    config = ScreeningConfig.model_validate({"language_model": {"model": tmp_path / "llama", "scores": tmp_path / "s"}})
    plain = config.portable()
    assert plain["language_model"]["model"] == "llama"
    assert plain["lora"] is None
    assert str(tmp_path) not in str(plain)
    assert plain["folds"] == config.folds


def test_what_decides_who_is_answered_makes_another_screening_and_where_the_endpoint_is_does_not() -> None:
    def plain(**changed: object) -> object:
        endpoint = {"base_url": "http://one/v1", "model": "m", "budget": {"calls": 10}, **changed}
        return ScreeningConfig.model_validate({"endpoint": {"endpoint": endpoint}, "writer": endpoint}).portable()

    assert plain(base_url="http://other/v1", concurrency=2) == plain()
    for changed in ({"budget": {"calls": 20}}, {"attempts": 9}, {"timeout_s": 7}):
        assert plain(**changed) != plain()


@pytest.mark.parametrize("head", ["", "screening:\n"])
def test_a_section_is_read_by_itself_or_out_of_a_runs_file_with_paths_relative_to_it(tmp_path: Path, head: str) -> None:
    path = tmp_path / "screening.yaml"
    path.write_text(head + "".join(f"  {line}\n" if head else f"{line}\n" for line in MODELS.splitlines()))
    config = load_section(path, ScreeningConfig, "screening")
    assert config.language_model is not None
    assert config.language_model.model == tmp_path / "models/small"
    assert config.language_model.scores == tmp_path / "asked.jsonl"
    assert [local.model for local in config.local_models] == [tmp_path / "models/small", Path("/elsewhere/large")]


def test_an_unknown_key_of_the_section_is_named(tmp_path: Path) -> None:
    path = tmp_path / "screening.yaml"
    path.write_text("fold: 3\n")
    with pytest.raises(ConfigError, match="unknown key `fold`"):
        load_section(path, ScreeningConfig, "screening")
