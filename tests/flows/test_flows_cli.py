from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import main
from flows.commands import doctor

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "prefect",
    "torch",
    "transformers",
    "great_expectations",
    "pandas",
    "sklearn",
    "skimage",
    "matplotlib",
    "lightgbm",
)


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd or ROOT, check=False, timeout=240)


def test_help_lists_every_verb_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom flows.cli import main\n"
        "main(['--help'])\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    for verb in ("demo", "run", "tile", "kg", "screen", "review", "release", "train", "evaluate", "doctor"):
        assert f"  {verb} " in done.stdout
    assert "heavy: []" in done.stdout


@pytest.mark.parametrize(
    "verb", ["demo", "run", "tile", "kg", "screen", "review", "release", "train", "evaluate", "doctor"]
)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([verb, "--help"])
    assert "Usage: slidesmith" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        (None, "there is no configuration file"),
        ("slides: nowhere\nout: out\n", "no folder or slide nowhere"),
        ("slides: .\nout: out\nspeed: 3\n", "unknown key `speed`"),
        ("slides: .\nout: out\ntiling: {jpeg_quality: 300}\n", "`tiling.jpeg_quality` is 300"),
        ("slides: .\nout: out\nmanifest: gone.csv\n", "no manifest gone.csv"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_two(tmp_path: Path, yaml: str | None, message: str) -> None:
    config = tmp_path / "run.yaml"
    if yaml is not None:
        config.write_text(yaml, encoding="utf-8")
    done = run("run", "--config", str(config))
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_a_folder_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["kg", "build", "--out", "/proc/graph"])
    assert stop.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("slidesmith: ")
    assert "check the path, its permissions" in line


def test_a_dry_run_of_the_demo_draws_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["demo", "--out", str(tmp_path / "demo"), "--slides", "6", "--dry-run"])
    assert "6 synthetic slides are not drawn yet" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_verb_that_does_not_exist_is_named() -> None:
    done = run("tyle")
    assert done.returncode == 2
    assert "tyle" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_speaks_to_people_and_to_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["packages"]["prefect"]
    assert {"train", "llm", "gate", "scale", "review"} <= set(found["extras"])
    assert not {"test", "check"} & set(found["extras"])
    monkeypatch.setattr(
        doctor, "requires", lambda _: ["torch==2; extra == 'train'", "no-such-package; extra == 'clip'"]
    )
    main(["doctor"])
    said = " ".join(capsys.readouterr().out.split())
    assert "[train] ready [clip] missing no-such-package: pip install -c constraints.txt -e '.[clip]'" in said


@pytest.mark.slide
def test_doctor_says_which_reader_a_slide_gets(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json", "--slide", str(shared / "slides" / "cmu-1-small-region.svs")])
    assert json.loads(capsys.readouterr().out)["slide"]["reader"] == "native"
