"""Make the demo: slides, annotations, reports and the manifest that the main job reads."""

from __future__ import annotations

import csv
import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.drawing import draw_all
from demo.plan import SlidePlan, plan_demo
from demo.report_text import report
from demo.state import (
    RECORD,
    annotation_name,
    code_digest,
    is_finished,
    key_in,
    slide_key,
    slide_name,
    write_record,
    write_text,
)
from schemas.errors import InputError
from schemas.ids import digest

SIZE_PX0 = (12288, 9216)
LICENCE = "CC0-1.0"
COLUMNS = ("path", "patient_id", "organ", "stain", "licence", "report", "annotations")

Progress = Callable[[int, int], None]


def make_demo(
    out: Path,
    *,
    slides: int = 24,
    patients: int = 12,
    seed: int = 7,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write synthetic slides with known truth under a folder.

    Writes `slides/*.svs`, `annotations/*.geojson`, `reports/*.txt`, `manifest.csv` and, last, `demo.json` with sizes
    and checksums. Slides that are there from the same plan and code are kept, so an interrupted run is continued and a
    finished one returns at once.

    Args:
        out: The folder; made if needed.
        slides: How many slides, of about 12,288 x 9,216 pixels at 0.5 um each.
        patients: How many patients they belong to.
        seed: The source of all choices.
        workers: Slides drawn at once; by default as many as this process may use cores.
        progress: Called with slides done and slides in all.

    Raises:
        InputError: fewer than one patient, fewer slides than patients, a negative seed, or `out` is no folder.
        StageFailedError: a worker process died, for example for want of memory.

    Determinism:
        Equal arguments and code give equal bytes, whatever `workers` is.
    """
    _check(out, slides, patients, seed)
    make_sized(out, plan_demo(slides, patients, seed), SIZE_PX0, seed, workers=workers, progress=progress)


def make_sized(
    out: Path,
    plans: tuple[SlidePlan, ...],
    size_px0: tuple[int, int],
    seed: int,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the slides of a plan in a given size (width, height; multiples of 256); see `make_demo`."""
    keys = [slide_key(plan, size_px0, seed) for plan in plans]
    key = digest(keys, [(plan.patient_id, plan.organ) for plan in plans])
    if is_finished(out, key):
        if progress is not None:
            progress(len(plans), len(plans))
        return
    out.mkdir(parents=True, exist_ok=True)
    with _alone_in(out):  # a run that draws here already is waited for, and then nothing is left to do
        if is_finished(out, key):
            return
        (out / RECORD).unlink(missing_ok=True)
        for folder in ("slides", "annotations", "reports"):
            (out / folder).mkdir(exist_ok=True)
            for part in (out / folder).glob(".*.part"):
                part.unlink()
        todo = [plan for plan, wanted in zip(plans, keys, strict=True) if not _is_there(out, plan, wanted)]
        draw_all(out, todo, size_px0, seed, workers, _counter(progress, len(plans) - len(todo), len(plans)))
        names = _write_texts(out, plans, seed)
        names += [name for plan in plans for name in (slide_name(plan), annotation_name(plan))]
        parameters = {"slides": len(plans), "size_px0": list(size_px0), "seed": seed, "code": code_digest()}
        write_record(out, key, parameters, names)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder itself; it goes with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check(out: Path, slides: int, patients: int, seed: int) -> None:
    if patients < 1 or slides < patients:
        raise InputError(
            f"the demo cannot have {slides} slides of {patients} patients",
            remedy="ask for at least one patient and as many slides as patients",
        )
    if seed < 0:
        raise InputError(f"the demo's seed is {seed}", remedy="give a seed of 0 or more")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out.name} is a file, not a folder", remedy="name a folder for the demo")


def _counter(progress: Progress | None, done: int, total: int) -> Callable[[], None]:
    """Return a function that reports one slide more each time it is called; reports what is there at once."""
    count = done

    def step() -> None:
        nonlocal count
        count += 1
        if progress is not None:
            progress(count, total)

    if progress is not None:
        progress(done, total)
    return step


def _is_there(out: Path, plan: SlidePlan, key: str) -> bool:
    return key_in(out / slide_name(plan)) == key and (out / annotation_name(plan)).is_file()


def _write_texts(out: Path, plans: tuple[SlidePlan, ...], seed: int) -> list[str]:
    """Write a report per patient and the manifest; return their names."""
    by_patient: dict[str, list[SlidePlan]] = {}
    for plan in plans:
        by_patient.setdefault(plan.patient_id, []).append(plan)
    names = []
    for patient, own in by_patient.items():
        names.append(f"reports/{patient}.txt")
        write_text(out / names[-1], report(tuple(own), seed))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for plan in plans:
        report_name = f"reports/{plan.patient_id}.txt"
        slide = (slide_name(plan), plan.patient_id, plan.organ, "H&E", LICENCE, report_name, annotation_name(plan))
        writer.writerow(slide)
    write_text(out / "manifest.csv", table.getvalue())
    return [*names, "manifest.csv"]
