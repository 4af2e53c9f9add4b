from __future__ import annotations

from pathlib import Path

import pytest

from flows.config import load_config, parse_config
from schemas.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "slides: slides\nmanifest: m.csv\nout: out\ngraph: {sources_dir: kg}\n"))
    assert config.slides == tmp_path / "slides"
    assert config.manifest == tmp_path / "m.csv"
    assert config.graph.sources_dir == tmp_path / "kg"


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "slides: slides\nout: out\n")
    assert load_config(path, out=str(tmp_path / "other")).out == tmp_path / "other"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slides: a\nout: b\nslide: c\n", "unknown key `slide`"),
        ("slides: a\nout: b\ntiling: {tile_pixels: 3}\n", "unknown key `tiling.tile_pixels`"),
        ("slides: a\nout: b\ntiling: {tile_px: 3}\n", "`tiling.tile_px` is 3"),
        ("slides: a\nout: b\nscreening: {alpha: 2}\n", "`screening.alpha` is 2"),
        (
            "slides: a\nout: b\ngraph: {sources: [ncit]}\n",
            "`graph`: `sources` names ncit, but `sources_dir` is not given",
        ),
        ("out: b\n", "`slides` is missing"),
        ("slides: [a\n", "not a readable YAML file at line"),
        ("slides: a\nout: 2024-31-12\n", "not a readable YAML file"),
        ("slides: a\nout: b\nscreening: {alpha: .nan}\n", "`screening.alpha` is nan: input should be a finite number"),
        ("just words\n", "holds no settings"),
        ("slides: a\nout: b\nrelease: {version: one}\n", "`release.version` is 'one'"),
    ],
)
def test_a_bad_configuration_is_one_line_that_names_the_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "slip",
    [
        {"base_url": "https://host/v1", "api_key_env": "sk-s3cret"},
        {"base_url": "https://user:s3cret@host/v1"},
        {"base_url": "https://host/v1?api-key=s3cret"},
    ],
)
def test_a_key_where_none_belongs_is_refused_and_not_repeated(slip: dict[str, str]) -> None:
    raw = {"slides": "a", "out": "b", "generation": {"endpoint": {"model": "m", **slip}}}
    with pytest.raises(ConfigError, match="`generation.endpoint.") as caught:
        parse_config(raw, "test")
    assert "s3cret" not in str(caught.value)


def test_a_missing_configuration_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration file .*gone.yaml"):
        load_config(tmp_path / "gone.yaml")


def test_a_configuration_survives_the_way_through_json() -> None:
    config = parse_config({"slides": "a", "out": "b", "training": {}}, "test")
    assert parse_config(config.model_dump(mode="json"), "test") == config
