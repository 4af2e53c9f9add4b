from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import benchmarks.__main__ as runner
from benchmarks._claims import claim
from benchmarks._tuning import moved


def kept(folder: Path, name: str, value: float) -> None:
    machine = {"date": "2026-01-01", "cores": 2, "load_before": 0.0}
    rows = [claim("speed", value, "tiles/s", ">= 1", value >= 1)]
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine, "claims": rows}))


def test_tables_are_written_and_the_command_fails_where_one_script_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tmp_path, "linking", 7.0)
    figures, readme = tmp_path / "figures.md", tmp_path / "README.md"
    readme.write_text(f"above {runner.BEGIN}old{runner.END} below")
    for name, value in {"RESULTS": tmp_path, "FIGURES": figures, "README": readme, "ROOT": tmp_path}.items():
        monkeypatch.setattr(runner, name, value)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "linking"])
    monkeypatch.setattr(sys, "executable", "false")  # a program that fails, whatever it is given
    with pytest.raises(SystemExit, match="failed: linking"):
        runner.main()
    assert "speed | 7 tiles/s" in figures.read_text()
    assert "Of all 1 claims with a goal 1 are reached" in readme.read_text()
    assert "old" not in readme.read_text()


@pytest.mark.parametrize(("step", "reached"), [(0.02, True), (0.0, False), (-0.02, False)])
def test_a_reward_rises_only_beyond_two_standard_errors(step: float, reached: bool) -> None:
    curve = [0.3 + step * place + 0.05 * (-1) ** place for place in range(60)]
    assert moved("reward", curve, "rises", 1)["reached"] is reached
