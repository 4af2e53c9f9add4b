"""Publishes in forked processes that are killed, or that race each other; prints what happened as JSON.

Run as a program, so that nothing but these few libraries is loaded when it forks:
`release_driver.py kill CANDIDATE STORE STRIDE` or `release_driver.py race CANDIDATE STORE same|different`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import queue
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 - loaded once, before the forks
import simplejpeg  # noqa: F401

from schemas.errors import VersionExistsError
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.releases.publish import publish
from tasks.releases.read import list_releases
from tasks.releases.stores import open_store
from tasks.releases.verify import verify

CONFIG = ReleaseConfig(dataset="sample", licence="cc0-1.0", workers=1)
WRITES = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"}


def die_at(point: int, root: str) -> None:
    """Have this process killed at its n-th writing step below a folder: as kill -9 would, without any clean-up."""
    steps = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal steps
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_CREAT)
        if (event in WRITES or writing) and any(root in str(argument) for argument in arguments[:2]):
            steps += 1
            if steps == point:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def published(candidate: Candidate, store: str, point: int) -> None:
    """Publish, dying at a step; step 0 never comes."""
    die_at(point, store)
    publish(candidate, CONFIG, store)


def look(store: str) -> list[tuple[str, list[str]]]:
    """Return version and problems of every release of a store."""
    return [(release.version, verify(release)) for release in list_releases(store)]


def look_and_finish(candidate: Candidate, store: str, found: Any) -> None:
    """Report what stands in the store, publish again, and report what stands there then."""
    after = look(store)
    publish(candidate, CONFIG, store)
    found.put((after, look(store)))


def in_a_fork(target: Any, *arguments: Any) -> int | None:
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def kill(candidate: Candidate, store: Path, stride: int) -> list[dict[str, Any]]:
    """Kill a publisher at every stride-th step; after each, look at the store and publish again."""
    outcomes: list[dict[str, Any]] = []
    point, died = 1, True
    while died:
        shutil.rmtree(store, ignore_errors=True)
        died = in_a_fork(published, candidate, str(store), point) == -signal.SIGKILL
        found = multiprocessing.get_context("fork").SimpleQueue()
        if exit_code := in_a_fork(look_and_finish, candidate, str(store), found):
            raise SystemExit(f"the rerun after step {point} ended with {exit_code}")
        after, rerun = found.get()
        outcomes.append({"point": point, "died": died, "after": after, "rerun": rerun})
        point += stride
    return outcomes


def compete(candidate: Candidate, uri: str, number: int, gate: Any, found: Any) -> None:
    """Publish so that all competitors make their version appear at the same moment."""
    store = open_store(uri)
    appear = store.publish

    def at_once(*arguments: Any) -> bool:
        gate.wait(120)
        return appear(*arguments)

    setattr(store, "publish", at_once)  # noqa: B010 - an attribute of this one store
    try:
        found.put((number, "published", publish(candidate, CONFIG, store).fingerprint))
    except VersionExistsError as error:
        found.put((number, "refused", error.problem))


def race(candidate: Candidate, uri: str, content: str) -> list[tuple[int, str, str]]:
    """Let processes publish one version: eight of different content, or three of the same."""
    competitors = 8 if content == "different" else 3
    context = multiprocessing.get_context("fork")
    gate, found = context.Barrier(competitors), context.Queue()
    processes = []
    for number in range(competitors):
        mine = candidate
        if content == "different":
            lexicon = Path(str(candidate.lexicon)).with_name(f"lexicon-{number}.parquet")
            lexicon.write_bytes(f"lexicon {number}".encode())
            mine = replace(candidate, lexicon=lexicon)
        processes.append(context.Process(target=compete, args=(mine, uri, number, gate, found)))
    for process in processes:
        process.start()
    outcomes: list[tuple[int, str, str]] = []
    while len(outcomes) < competitors:
        try:
            outcomes.append(found.get(timeout=1))
        except queue.Empty:
            if not any(process.is_alive() for process in processes) and found.empty():
                raise SystemExit("a competitor ended without an outcome") from None
    for process in processes:
        process.join()
    return sorted(outcomes)


if __name__ == "__main__":
    task, candidate_file, place, option = sys.argv[1:]
    given = pickle.loads(Path(candidate_file).read_bytes())  # noqa: S301 - written by the test
    outcome = kill(given, Path(place), int(option)) if task == "kill" else race(given, place, option)
    sys.stdout.write(json.dumps(outcome))
