"""The error tree: every deliberate failure of Slidesmith, by what the reader of the message can do about it.

Messages say what is wrong, where, and what to do. The command line prints them as one line and exits with `exit_code`.
"""

from __future__ import annotations


class SlidesmithError(Exception):
    """A failure that Slidesmith expects and explains; never shown as a traceback."""

    exit_code = 1

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        """Name the problem (what and where) and the remedy (what to do)."""
        self.problem = problem
        self.remedy = remedy
        super().__init__(problem, remedy)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a process boundary with the remedy attached."""
        return (_rebuild, (type(self), self.problem, self.remedy))

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}" if self.remedy else self.problem


def _rebuild(kind: type[SlidesmithError], problem: str, remedy: str) -> SlidesmithError:
    return kind(problem, remedy=remedy)


class InputError(SlidesmithError):
    """Something the user gave cannot be used as it is (exit code 2)."""

    exit_code = 2


class ConfigError(InputError):
    """The configuration has an unknown key or a value out of range."""


class SlideError(InputError):
    """A slide is missing, unreadable or lacks what tiling needs."""


class SlideReadError(SlidesmithError):
    """A region of an opened slide could not be read."""


class GraphError(InputError):
    """A knowledge-graph source is malformed, dangling, cyclic or has the wrong checksum."""


class FileFormatError(InputError):
    """A data file does not have the form its reader needs."""


class MissingExtraError(InputError):
    """A verb needs an optional dependency that is not installed."""


class StageFailedError(SlidesmithError):
    """A stage ended without usable output, or with more failures than its bound allows."""


class CountsError(SlidesmithError):
    """Counts in do not equal counts out plus rejections."""


class StoreError(SlidesmithError):
    """A shard or release in a store is missing, torn or altered."""


class GateError(SlidesmithError):
    """A release candidate failed the gate; it stands in quarantine with its report."""


class VersionExistsError(SlidesmithError):
    """Another publisher already owns this version."""


class BlindControlError(SlidesmithError):
    """An image model does not beat its blind control."""


class EndpointError(SlidesmithError):
    """A language-model endpoint refuses every call, or does not answer any more."""


class ReviewError(InputError):
    """A review event breaks the protocol or the hash chain."""


class ReviewConflictError(ReviewError):
    """A review event is well-formed but not what may come next: answered before, not yet answered, out of date."""
