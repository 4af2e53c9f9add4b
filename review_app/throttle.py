"""Sign-ins are slowed down: by name and by address."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque


class Throttle:
    """Counts failures within a window; too many, and nothing more is tried until it has passed."""

    def __init__(self, *, failures: int = 5, window_s: float = 300.0) -> None:
        self._failures, self._window = failures, window_s
        self._at: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def is_closed(self, *keys: str) -> bool:
        """Return whether one of the keys has failed too often."""
        now = time.monotonic()
        with self._lock:
            for key in list(self._at):
                times = self._at[key]
                while times and times[0] < now - self._window:
                    times.popleft()
                if not times:
                    del self._at[key]
            return any(len(self._at[key]) >= self._failures for key in keys if key in self._at)

    def failed(self, *keys: str) -> None:
        """Write down a failure."""
        with self._lock:
            for key in keys:
                self._at[key].append(time.monotonic())


class Leases:
    """Who is reading what just now, so that two people are not given the same item; nothing is forbidden by it."""

    def __init__(self, seconds: float = 600.0) -> None:
        self._seconds = seconds
        self._held: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def take(self, item_id: str, user: str) -> None:
        """Write down that a user was given an item; the user's earlier one is free again."""
        with self._lock:
            self._held = {held: entry for held, entry in self._held.items() if entry[0] != user}
            self._held[item_id] = (user, time.monotonic() + self._seconds)

    def others(self, user: str) -> set[str]:
        """Return the items that others were given a short while ago."""
        now = time.monotonic()
        with self._lock:
            return {item_id for item_id, (who, until) in self._held.items() if who != user and until > now}
