"""Why a slide cannot be used, carried as an error up to the one place that writes the rejection."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import SlideError, SlidesmithError
from schemas.rejection import Reason


class RefusedSlideError(SlideError):
    """A slide cannot be tiled, for one of the closed reasons."""

    def __init__(self, problem: str, *, reason: Reason, remedy: str = "") -> None:
        """Name the problem, the reason to count it under, and the remedy."""
        super().__init__(problem, remedy=remedy)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a process boundary with the reason attached."""
        return (_rebuild, (self.problem, self.reason, self.remedy))


class UnsteadySlideError(SlidesmithError):
    """A slide went or changed since it was listed: no shard is made, so that the next run looks again."""


def without_folder(error: object, location: str) -> str:
    """Return an error's text with a slide's folder taken out, since messages end up in datasets."""
    return str(error).replace(f"{Path(location).parent}/", "")


def _rebuild(problem: str, reason: Reason, remedy: str) -> RefusedSlideError:
    return RefusedSlideError(problem, reason=reason, remedy=remedy)
