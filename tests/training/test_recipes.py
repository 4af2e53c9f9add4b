from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from flows.config import load_section
from training.config import TrainingConfig
from training.tuning_config import GrpoConfig, SftConfig, TuningConfig

RECIPES = Path(__file__).resolve().parents[2] / "training" / "recipes"
KINDS: dict[str, type[BaseModel]] = {"clip": TrainingConfig, "sft": SftConfig, "grpo": GrpoConfig}


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_is_a_valid_configuration_with_its_command_and_estimates(path: Path) -> None:
    kind = next(kind for name, kind in KINDS.items() if name in path.stem)
    config: BaseModel = load_section(path, kind)
    head = path.read_text().split("\n\n")[0]
    assert f"--config training/recipes/{path.name}" in head
    assert "# Memory per GPU" in head
    assert "# Time" in head
    if isinstance(config, TuningConfig):
        states = json.loads((RECIPES.parents[1] / str(config.deepspeed)).read_text())
        assert states["zero_optimization"]["stage"] == 3
