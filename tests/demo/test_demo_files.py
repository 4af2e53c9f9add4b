"""What `make_demo` leaves on disk: slides that readers open, truth, reports, a manifest, and nothing twice."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from shapely.geometry import Polygon, box

from demo.make import COLUMNS, make_demo, make_sized
from demo.plan import SlidePlan, plan_demo
from demo.scene import compose
from demo.state import RECORD, key_in
from demo.truth import region_annotations
from demo.vocabulary import vocabulary
from schemas.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
SIZE = (3072, 2560)


def checksums(out: Path) -> dict[str, str]:
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def two_plans(seed: int = 7) -> tuple[SlidePlan, ...]:
    return plan_demo(2, 1, seed)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    make_sized(folder, two_plans(), SIZE, 7, workers=1)
    return folder


@pytest.fixture(scope="module")
def slide(out: Path) -> Path:
    return sorted((out / "slides").iterdir())[0]


def test_openslide_reads_an_aperio_slide_with_scale_and_three_levels(slide: Path) -> None:
    with openslide.OpenSlide(slide) as opened:
        assert opened.properties["openslide.vendor"] == "aperio"
        assert float(opened.properties["openslide.mpp-x"]) == float(opened.properties["openslide.mpp-y"]) == 0.5
        assert opened.properties["openslide.objective-power"] == "20"
        assert opened.level_dimensions == (SIZE, (768, 640), (192, 160))
        assert opened.level_downsamples == (1.0, 4.0, 16.0)


def test_tifffile_and_openslide_see_the_same_pixels(slide: Path) -> None:
    with tifffile.TiffFile(slide) as file, openslide.OpenSlide(slide) as opened:
        assert [page.shape[:2] for page in file.pages] == [(size[1], size[0]) for size in opened.level_dimensions]
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        assert (page.tilewidth, page.tilelength, page.compression, page.photometric) == (256, 256, 7, 6)
        assert page.datetime is None
        whole = opened.read_region((0, 0), 0, SIZE).convert("RGB")
        assert np.array_equal(np.asarray(page.asarray()), np.asarray(whole))


def test_levels_are_area_averages_of_each_other(slide: Path) -> None:
    with tifffile.TiffFile(slide) as file:
        levels = [page.asarray().astype(np.float64) for page in file.pages]
    luma = np.array([0.299, 0.587, 0.114])  # colour is kept at half the resolution
    for fine, coarse in pairwise(levels):
        height, width = coarse.shape[:2]
        averaged = fine.reshape(height, 4, width, 4, 3).mean(axis=(1, 3))
        apart = np.abs((averaged - coarse) @ luma).mean()
        shifted = np.abs((averaged - np.roll(coarse, 1, axis=1)) @ luma).mean()
        assert apart < min(5.0, 0.5 * shifted)
        assert np.abs(averaged.mean(axis=(0, 1)) - coarse.mean(axis=(0, 1))).max() < 1.5


def test_bytes_do_not_depend_on_the_number_of_workers(out: Path, tmp_path: Path) -> None:
    make_sized(tmp_path, two_plans(), SIZE, 7, workers=2)
    assert checksums(tmp_path) == checksums(out)


def test_another_seed_draws_other_slides(out: Path, tmp_path: Path) -> None:
    make_sized(tmp_path, two_plans(8)[:1], SIZE, 8, workers=1)
    one, other = (checksums(folder)["slides/p01-colon-1.svs"] for folder in (out, tmp_path))
    assert one != other


def test_a_finished_demo_is_left_alone_at_once(out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    calls: list[tuple[int, int]] = []
    start = time.process_time()
    make_sized(out, two_plans(), SIZE, 7, progress=lambda done, total: calls.append((done, total)))
    assert time.process_time() - start < 0.5
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert calls == [(2, 2)]


def test_a_lost_or_foreign_slide_alone_is_drawn_again(out: Path, tmp_path: Path) -> None:
    make_sized(tmp_path, two_plans(), SIZE, 7, workers=1)
    first, second = sorted((tmp_path / "slides").iterdir())
    kept = second.stat().st_mtime_ns
    first.write_bytes(b"not a slide")
    make_sized(tmp_path, two_plans(), SIZE, 7, workers=1)
    assert second.stat().st_mtime_ns == kept
    assert checksums(tmp_path) == checksums(out)


def test_two_runs_at_once_draw_one_demo(out: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(make_sized, tmp_path, two_plans(), SIZE, 7, workers=1) for _ in range(2)]
    assert [run.result() for run in runs] == [None, None]
    assert checksums(tmp_path) == checksums(out)


def test_a_killed_run_is_continued_and_leaves_no_process_behind(out: Path, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom demo.make import make_sized\nfrom demo.plan import plan_demo\n"
        f"if __name__ == '__main__':\n    make_sized(Path(sys.argv[1]), plan_demo(2, 1, 7), {SIZE}, 7, workers=2)\n"
    )
    program = tmp_path / "draw.py"
    program.write_text(script)
    folder = tmp_path / "demo"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.Popen([sys.executable, str(program), str(folder)], env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(folder.glob("slides/.*.part")) and time.monotonic() < deadline:
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (folder / RECORD).exists()
    while _members(run.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _members(run.pid) == []
    make_sized(folder, two_plans(), SIZE, 7, workers=1)
    assert checksums(folder) == checksums(out)
    assert not list(folder.rglob("*.part"))


def _members(session: int) -> list[int]:
    """Return the processes of a session that still run."""
    members = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                members += [int(entry.name)] if state != "Z" else []
        except (ProcessLookupError, FileNotFoundError):
            continue
    return members


def test_the_record_names_every_file_with_size_and_checksum(out: Path) -> None:
    record = json.loads((out / RECORD).read_text())
    there = checksums(out)
    del there[RECORD]
    assert {name: entry["sha256"] for name, entry in record["files"].items()} == there
    assert all((out / name).stat().st_size == entry["bytes"] for name, entry in record["files"].items())
    assert record["parameters"]["seed"] == 7


def test_the_manifest_names_files_that_are_there(out: Path) -> None:
    with (out / "manifest.csv").open(newline="") as stream:
        reader = csv.DictReader(stream)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        rows = list(reader)
    assert [row["path"] for row in rows] == ["slides/p01-colon-1.svs", "slides/p01-colon-2.svs"]
    for row in rows:
        assert all((out / row[column]).is_file() for column in ("path", "report", "annotations"))
        assert (row["patient_id"], row["organ"], row["stain"], row["licence"]) == ("p01", "colon", "H&E", "CC0-1.0")


def test_truth_is_made_of_valid_disjoint_polygons_with_values_of_the_vocabulary(tmp_path: Path) -> None:
    size = (8192, 6144)
    plan = plan_demo(24, 12, 7)[0]
    truth = json.loads(json.dumps(region_annotations(plan, compose(plan, size, 7).layout)))
    assert truth["type"] == "FeatureCollection"
    polygons = []
    for feature in truth["features"]:
        rings = feature["geometry"]["coordinates"]
        polygon = Polygon(rings[0])
        assert feature["geometry"]["type"] == "Polygon"
        assert len(rings) == 1
        assert polygon.is_valid
        assert box(0, 0, *size).contains(polygon)
        assert feature["properties"]["objectType"] == "annotation"
        assert feature["properties"]["classification"]["name"] in {"Tumor", "Stroma", "Necrosis", "Immune cells"}
        metadata = dict(feature["properties"]["metadata"])
        diagnosis = metadata.pop("diagnosis", None)
        assert diagnosis == vocabulary().diagnoses.get((plan.organ, metadata["architecture"]))
        assert metadata == plan.regions[int(feature["properties"]["name"].split()[1]) - 1]
        polygons.append(polygon)
    assert len(polygons) >= 2
    assert all(not one.intersects(other) for i, one in enumerate(polygons) for other in polygons[:i])


def test_each_slide_carries_the_key_of_its_content(out: Path) -> None:
    keys = {key_in(path) for path in (out / "slides").iterdir()}
    assert len(keys) == 2
    assert None not in keys
    assert key_in(out / "slides" / "absent.svs") is None


@pytest.mark.parametrize(("slides", "patients", "seed"), [(1, 2, 7), (3, 0, 7), (2, 1, -1)])
def test_impossible_numbers_are_refused_in_one_line(tmp_path: Path, slides: int, patients: int, seed: int) -> None:
    with pytest.raises(InputError) as refused:
        make_demo(tmp_path / "demo", slides=slides, patients=patients, seed=seed)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "demo").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    with pytest.raises(InputError, match="is a file"):
        make_demo(tmp_path / "demo")
