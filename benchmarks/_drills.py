"""Failure drills on the line without a server: killed, disk full, clock moved, two at once, a corrupt slide.

Run as a program (`python -m benchmarks._drills FOLDER NAME...`) it loads everything once, draws small slides, forks a
process per run, and prints the outcomes as JSON: so the tests and `benchmarks.drills` run the same drills.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from typing import Any
from unittest.mock import patch

from benchmarks._drill_disk import mount_memory
from benchmarks._drill_line import (
    DATASET,
    SMALL,
    Ended,
    Fork,
    Outcome,
    attempt,
    dies_at,
    draw_inputs,
    run,
    settings,
    sound,
    timed,
)
from benchmarks._drill_services import ACCESS, BUCKET, Service
from benchmarks._drill_steps import PARTS
from benchmarks._without_prefect import STAGES
from flows.config import RunConfig
from flows.plan import make_plan
from tasks.store import ShardStore

Drill = Callable[["Ground"], Iterable[Outcome]]


def load() -> None:
    """Load the flows, before anything is forked."""
    for stage in STAGES:
        import_module(f"flows.{stage}")


def _load_all(modules: Iterable[str]) -> None:
    for module in modules:  # so that no fork has to
        import_module(module)


class Ground:
    """A folder with drawn slides, and an undisturbed run that every drill is compared with.

    Args:
        folder: empty, or of an earlier drill.
        whole: every place that a drill knows, and services that are away for 30 s; else one place, and 2 s.
    """

    def __init__(self, folder: Path, whole: bool) -> None:
        self.folder = folder
        self.whole = whole
        self.outage_s = 30.0 if whole else 2.0
        self.inputs = draw_inputs(folder / "inputs")
        self.calm = run(self.config("calm"))
        _load_all(self.calm.loaded)
        if self.calm.fingerprint is None:
            raise SystemExit(f"the undisturbed run failed: {self.calm.error}")

    def config(self, name: str, inputs: Path | None = None, **more: Any) -> RunConfig:
        """Return the configuration of a run of its own."""
        return RunConfig.model_validate(settings(inputs or self.inputs, self.folder / name, **more))

    def tiled(self, out: Path, slides: int) -> None:
        """Put the tiles of the first slides into a run's folder, where this is no whole drill and time is short."""
        for key in make_plan(self.config("calm")).tiling[: 0 if self.whole else slides]:
            shutil.copytree(self.folder / "calm" / "work" / "tiling" / key, out / "work" / "tiling" / key)

    def judged(self, drill: str, disturbed: str, first: Ended, config: RunConfig, calm: Ended | None = None) -> Outcome:
        """Run again where a run did not go on, and compare its release with the undisturbed one."""
        last = first if first.fingerprint else run(config)
        same = self.undisturbed(last, calm) and first.clear and sound(config.out)
        return Outcome(drill, disturbed, _told(first, last), same)

    def undisturbed(self, last: Ended, calm: Ended | None = None) -> bool:
        """Return whether a run ended with the release of an undisturbed one."""
        wanted = (calm or self.calm).fingerprint
        return wanted is not None and last.fingerprint == wanted and last.clear


def _told(first: Ended, last: Ended) -> str:
    told = shorten(first.then, 150, placeholder=" ...")  # it may name several slides
    return told if last is first else f"{told}; the rerun {last.then}"


def killed(ground: Ground) -> list[Outcome]:
    """Kill one run in the middle of every part of the line, continuing it each time."""
    config, outcomes = ground.config("killed"), []
    for part in PARTS:
        started, step = time.monotonic(), (ground.calm.steps or {})[part] // 2 + 1
        ended = run(config, dies_at(config.out, part, step))
        whole = ended.then == "killed" and sound(config.out) and not (config.out / "run.json").exists()
        outcomes.append(Outcome("kill -9", f"{part}, step {step}", ended.then, whole, time.monotonic() - started))
    last = run(config)
    same = ground.undisturbed(last) and sound(config.out)
    told = f"; after the last kill the run {last.then}"
    return [replace(each, then=each.then + told, same=each.same and same) for each in outcomes]


def full(ground: Ground) -> Iterator[Outcome]:
    """Let the file system of a run be full at several places of the line; then there is room again."""
    needed = sum(path.stat().st_size for path in (ground.folder / "calm").rglob("*") if path.is_file())
    for share in (0.3, 0.6, 0.9) if ground.whole else (0.9,):
        config = ground.config(f"full-{share:.0%}")
        config.out.mkdir()
        found = Fork(_on_small_disk, ground, config, int(needed * share)).result()
        if found is None:
            yield Outcome("disk full", "", "not permitted: this machine lets nobody mount a file system", False)
            return
        first, last = found
        same = ground.undisturbed(last) and first.clear and first.fingerprint is None
        yield Outcome("disk full", f"at {share:.0%} of what the run needs", _told(first, last), same)


def _on_small_disk(ground: Ground, config: RunConfig, size: int) -> tuple[Ended, Ended] | None:
    try:
        mount_memory(config.out, size)
    except PermissionError:
        return None
    ground.tiled(config.out, 8)
    first = run(config)
    mount_memory(config.out, 1 << 30, again=True)
    last = run(config)
    return first, replace(last, clear=last.clear and sound(config.out))


def two_at_once(ground: Ground) -> Iterator[Outcome]:
    """Start two runs of one configuration at the same moment."""
    config = ground.config("two")
    ground.tiled(config.out, 5)
    both = [fork.result() or Ended() for fork in [Fork(attempt, config), Fork(attempt, config)]]
    same = all(ground.undisturbed(ended) for ended in both) and sound(config.out)
    yield Outcome("two runs at once", "of one configuration", " / ".join(ended.then for ended in both), same)


def corrupt(ground: Ground) -> Iterator[Outcome]:
    """Cut one slide short; the others go on; mended, only that slide is tiled again."""
    for share in (0.0002, 0.02) if ground.whole else (0.02,):
        yield _cut(ground, share)


def _cut(ground: Ground, share: float) -> Outcome:
    inputs = ground.folder / f"inputs-{share}"
    shutil.copytree(ground.inputs, inputs)
    plan = make_plan(ground.config("calm"))
    slide = inputs / "slides" / plan.sources[1].name
    whole = slide.read_bytes()
    slide.write_bytes(whole[: int(len(whole) * share)])
    config = ground.config(f"corrupt-{share}", inputs)
    shutil.copytree(ground.folder / "calm" / "work", config.out / "work")
    shutil.rmtree(config.out / "work" / "tiling" / plan.tiling[1])  # the others are done; this one is not
    first = run(config)
    more = _rejected(config.out) - _rejected(ground.folder / "calm")
    slide.write_bytes(whole)
    tiled = set((config.out / "work" / "tiling").iterdir())
    mended = run(ground.config(f"corrupt-{share}", inputs, release={"dataset": DATASET, "version": "1.0.1"}))
    again = len(set((config.out / "work" / "tiling").iterdir()) - tiled)
    same = ground.undisturbed(mended) and first.clear and bool(more) and again == 1 and sound(config.out)
    told = f"{first.then}; more rejected: {dict(more)}; mended, {again} slide tiled again, the run {mended.then}"
    return Outcome("one slide corrupt", f"{share:.2%} of its bytes left", told, same)


def _rejected(out: Path) -> Counter[str]:
    if not (out / "run.json").exists():
        return Counter()
    stages = json.loads((out / "run.json").read_text())["stages"]
    return Counter(stages["slides"]["rejected"]) + Counter(stages["tiling"]["rejected"])


def clock(ground: Ground) -> Iterator[Outcome]:
    """Set the clock a day back, and a day forth, in the middle of a run; files are dated accordingly."""
    for days in (-1, 1) if ground.whole else (-1,):
        config = ground.config(f"clock{days:+d}")
        ground.tiled(config.out, 8)
        moved = run(config, partial(_move_clock, 86_400 * days))
        yield ground.judged("clock moved", f"{days:+d} day, in the middle", moved, config)


def _move_clock(by_s: float) -> None:
    """Have `time.time` jump once the slides are tiled, and files made from then on dated by it."""
    real, real_ns, begun = time.time, time.time_ns, [False]
    ensure = ShardStore.ensure

    def dated(store: ShardStore, stage: str, key: str, make: Any) -> Any:
        begun[0] = begun[0] or stage == "graph"
        done = ensure(store, stage, key, make)
        if begun[0]:
            for path in (store.root / stage / key).glob("*"):
                os.utime(path, (time.time(), time.time()))
        return done

    patch("time.time", lambda: real() + by_s * begun[0]).start()
    patch("time.time_ns", lambda: real_ns() + int(by_s * 1e9) * begun[0]).start()
    patch.object(ShardStore, "ensure", dated).start()


def store_away(ground: Ground) -> Iterator[Outcome]:
    """Let the bucket of the shards be unreachable for a while, at the first connection of a run and later."""
    with Service("bucket") as service:
        for after in (1, 60) if ground.whole else (60,):
            address = f"http://127.0.0.1:{service.outage(after, ground.outage_s)}"
            config = ground.config(f"store-{after}", shards=f"s3://{BUCKET}/shards-{after}")
            ground.tiled(config.out, 6)
            reached = {**ACCESS, "AWS_ENDPOINT_URL": address}
            ended = run(config, partial(os.environ.update, reached))
            disturbed = f"for {ground.outage_s:g} s at connection {after}"
            _must_have_been_away(service)
            yield ground.judged("store unreachable", disturbed, ended, config)


def endpoint_away(ground: Ground) -> Iterator[Outcome]:
    """Let the model's endpoint be down for a while, early and late in generation."""
    with Service("endpoint") as service:
        undisturbed = ground.config("written", generation=written(service.port))
        ground.tiled(undisturbed.out, 8)
        calm = run(undisturbed)
        _load_all(calm.loaded)
        for after in (1, 20) if ground.whole else (20,):
            port = service.outage(after, ground.outage_s)
            config = ground.config(f"endpoint-{after}", generation=written(port))
            ground.tiled(config.out, 8)
            ended = run(config)
            disturbed = f"for {ground.outage_s:g} s at connection {after}"
            _must_have_been_away(service)
            yield ground.judged("endpoint down", disturbed, ended, config, calm)


def written(port: int) -> dict[str, Any]:
    """Return the section of generation by the model behind a port."""
    reached = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "scripted", "concurrency": 4}
    return {**SMALL["generation"], "generator": "openai", "endpoint": reached}


def _must_have_been_away(service: Service) -> None:
    if not service.was_away():
        raise SystemExit("the run ended before the service went away")


DRILLS: dict[str, Drill] = {
    "killed": killed,
    "full": full,
    "two_at_once": two_at_once,
    "corrupt": corrupt,
    "clock": clock,
    "store_away": store_away,
    "endpoint_away": endpoint_away,
}


def main() -> None:
    """Run the drills that are named, and print their outcomes."""
    folder, whole, *names = sys.argv[1:]
    load()
    ground = Ground(Path(folder), whole == "whole")
    outcomes = [asdict(outcome) for name in names for outcome in timed(DRILLS[name](ground))]
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
