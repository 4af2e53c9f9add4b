"""What is done, one step a command, and what each cost: wall time, CPU time and peak memory."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
SLIDESMITH = (sys.executable, "-m", "flows.cli")


@dataclass
class Step:
    """One step: what it was, the command, how long it took in s, and the most memory in GiB held at once."""

    name: str
    command: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_gib: float = 0.0


@dataclass
class Steps:
    """All steps, in order; `told` hides the folder of the run in what is shown."""

    folder: Path
    environment: Mapping[str, str]
    done: list[Step] = field(default_factory=list)

    def run(self, name: str, *arguments: str, stdin: str | None = None, code: int = 0) -> str:
        """Run a verb of `slidesmith` and return what it prints.

        Raises:
            SystemExit: it ends with another exit code than `code`.
        """
        with self.measured(name, "slidesmith " + shlex.join(arguments)) as watch:
            process = subprocess.Popen(
                [*SLIDESMITH, *arguments],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=(self.folder / "stderr.log").open("ab"),
                text=True,
            )
            watch(process.pid)
            said, _ = process.communicate(stdin)
        if process.returncode != code:
            raise SystemExit(f"{name}: `{self.done[-1].command}` ended with {process.returncode}; see stderr.log")
        return said

    @contextmanager
    def measured(self, name: str, command: str) -> Iterator[Memory]:
        """Measure what is done inside; the yielded object is told the processes to watch."""
        print(f"{time.strftime('%H:%M:%S')}  {name}", flush=True)
        step = Step(name, self.portable(command))
        self.done.append(step)
        watch = Memory()
        started = time.monotonic()
        try:
            yield watch
        finally:
            step.wall_s = time.monotonic() - started
            step.cpu_s, step.peak_gib = watch.stop()
            print(f"          {step.wall_s:8.1f} s  {step.cpu_s:8.1f} CPU-s  {step.peak_gib:5.2f} GiB", flush=True)

    def portable(self, text: str) -> str:
        """Return a text without the folders of this host."""
        places = {str(self.folder): "work", str(ROOT): ".", str(ROOT.parent): "..", sys.executable: "python"}
        for place, name in places.items():
            text = text.replace(place, name)
        return text


class Memory:
    """Watches processes and their children: the memory that they alone hold, summed, and the CPU time they took."""

    def __init__(self) -> None:
        self._roots: list[psutil.Process] = []
        self._took: dict[tuple[int, float], float] = {}
        self._before: dict[tuple[int, float], float] = {}
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __call__(self, pid: int) -> None:
        """Watch a process and all that it starts; CPU time it took before does not count."""
        root = psutil.Process(pid)
        for member in [root, *root.children(recursive=True)]:
            self._before[(member.pid, member.create_time())] = sum(member.cpu_times()[:2])
        self._roots.append(root)

    def stop(self) -> tuple[float, float]:
        """Return CPU time in s and peak memory in GiB."""
        self._ended.set()
        self._thread.join()
        took = sum(seconds - self._before.get(member, 0.0) for member, seconds in self._took.items())
        return took, self._peak / 2**30

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            held = 0
            for member in list(self._family()):
                try:
                    held += member.memory_full_info().uss
                    self._took[(member.pid, member.create_time())] = sum(member.cpu_times()[:2])
                except psutil.Error:
                    continue
            self._peak = max(self._peak, held)

    def _family(self) -> Iterator[psutil.Process]:
        for root in self._roots:
            try:
                yield from (root, *root.children(recursive=True))
            except psutil.Error:
                continue


def quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for child processes: this checkout, its programs, no analytics."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        **environment,
    }


def folder_gib(folder: Path) -> float:
    """Return the size of a folder's files in GiB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**30
