"""How long the device works on steps, and how long it waits between them for the next one's data."""

from __future__ import annotations

import time
from typing import Any

import torch


class StepClock:
    """Times the steps of a run by the device's own clock: what runs on a GPU is not over when its call returns.

    Attributes:
        worked_s: time between the begin and the end of steps, summed.
        waited_s: time between the end of a step and the begin of the next, summed.
    """

    def __init__(self, device: torch.device) -> None:
        self.worked_s = self.waited_s = 0.0
        self._device = device
        self._begun: Any = None
        self._ended: Any = None
        self._former: Any = None

    @property
    def waited(self) -> float:
        """Share of the time that the device waited; 0 before the first step."""
        return self.waited_s / max(self.worked_s + self.waited_s, 1e-9)

    def begin(self) -> None:
        """Mark that the device is given its first work of a step."""
        self._begun = self._mark()

    def end(self) -> None:
        """Mark that it has been given the last."""
        self._former, self._ended = self._ended, self._mark()

    def read(self) -> None:
        """Add the step to the sums; the device must have done it."""
        self.worked_s += self._between(self._begun, self._ended)
        if self._former is not None:
            self.waited_s += self._between(self._former, self._begun)

    def pause(self) -> None:
        """Leave out what passes until the next step begins: a checkpoint is written."""
        self._ended = None

    def _mark(self) -> Any:
        if self._device.type != "cuda":
            return time.perf_counter()
        kinds: Any = torch.cuda
        event = kinds.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def _between(self, first: Any, last: Any) -> float:
        if self._device.type != "cuda":
            return float(last - first)
        last.synchronize()
        return float(first.elapsed_time(last)) / 1000
