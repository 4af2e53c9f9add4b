"""Drawing the slides of a plan, several at once; each file appears whole or not at all."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from demo.paint import Painter
from demo.plan import SlidePlan
from demo.scene import compose
from demo.state import annotation_name, slide_key, slide_name, write_text
from demo.svs import write_svs
from demo.truth import region_annotations
from schemas.errors import StageFailedError


def draw_all(
    out: Path,
    todo: list[SlidePlan],
    size_px0: tuple[int, int],
    seed: int,
    workers: int | None,
    step: Callable[[], None],
) -> None:
    """Draw slides with their annotations.

    Args:
        out: The demo's folder, with its subfolders.
        todo: The slides to draw.
        size_px0: Width and height of each.
        seed: The demo's seed.
        workers: Processes; None for as many as this process may use cores. One draws in this process.
        step: Called after each slide.

    Raises:
        StageFailedError: a process died.
    """
    count = min(workers or len(os.sched_getaffinity(0)), len(todo))
    if count <= 1:
        for plan in todo:
            _draw(out, plan, size_px0, seed)
            step()
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        try:
            for finished in as_completed([pool.submit(_draw, out, plan, size_px0, seed) for plan in todo]):
                finished.result()
                step()
        except BrokenProcessPool as error:
            raise StageFailedError(
                "a process that drew demo slides died", remedy="free memory or give fewer workers, and run again"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone, so that a killed run leaves nothing behind."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _draw(out: Path, plan: SlidePlan, size_px0: tuple[int, int], seed: int) -> None:
    """Draw one slide and write its annotations, then its pixels; each file appears whole."""
    scene = compose(plan, size_px0, seed)
    truth = region_annotations(plan, scene.layout)
    write_text(out / annotation_name(plan), json.dumps(truth) + "\n")
    path = out / slide_name(plan)
    part = path.with_name(f".{path.name}.part")
    write_svs(Painter(scene), size_px0, slide_key(plan, size_px0, seed), part)
    part.replace(path)
