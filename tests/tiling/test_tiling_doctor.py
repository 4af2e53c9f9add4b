"""`slidesmith doctor --slide`: which reader a slide gets and why, and one clear line where it gets none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from flows.cli import main


def test_the_reader_its_reason_and_the_slides_own_words_are_told(
    plain_slide: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["doctor", "--slide", str(plain_slide), "--json"])
    assert json.loads(capsys.readouterr().out)["slide"] == {
        "slide": "plain.svs",
        "reader": "native",
        "reason": "aperio: every level is stored as JPEG tiles of 256x256 px",
        "um per pixel": "0.5 x 0.5",
        "levels": "1600 x 1200, 400 x 300",
    }


def test_a_slide_without_mpp_is_told_what_it_lacks(
    tmp_path: Path, paint: Callable[..., Any], write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "j2k.svs", paint(400, 300), compression="aperio_jp2000_rgb", levels=(1,), mpp=None)
    main(["doctor", "--slide", str(path)])
    shown = capsys.readouterr().out
    assert "openslide" in shown
    assert "APERIO_JP2000_RGB is not JPEG" in shown
    assert "unknown: give mpp in the manifest" in shown


def test_a_url_is_opened_as_one(plain_slide: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fsspec.open("memory://doctor/plain.svs", "wb") as stream:
        stream.write(plain_slide.read_bytes())
    main(["doctor", "--slide", "memory://doctor/plain.svs", "--json"])
    assert json.loads(capsys.readouterr().out)["slide"]["reader"] == "tiffslide"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gone.svs", "gone.svs does not exist; check the path"),
        ("folder.svs", "folder.svs is a folder; name the slide file in it"),
        ("zero.svs", "zero.svs is empty (0 bytes); copy it again"),
        ("text.svs", "text.svs is not a slide that OpenSlide knows; name a slide file"),
        ("loop.svs", "loop.svs cannot be reached: Too many levels of symbolic links; name a slide file"),
        ("memory://doctor/gone.svs", "gone.svs does not exist; name a slide file"),
    ],
)
def test_what_is_no_slide_is_one_line_that_names_it(
    name: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.svs").mkdir()
    (tmp_path / "zero.svs").touch()
    (tmp_path / "text.svs").write_text("no slide")
    (tmp_path / "loop.svs").symlink_to("loop.svs")
    with pytest.raises(SystemExit) as stop:
        main(["doctor", "--slide", name if "://" in name else str(tmp_path / name)])
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"slidesmith: {line}\n"
