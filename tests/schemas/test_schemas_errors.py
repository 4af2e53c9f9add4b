from __future__ import annotations

import pickle

import pytest

from schemas import errors
from schemas.errors import SlideError, SlidesmithError

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SlidesmithError)]


@pytest.mark.parametrize("kind", ALL)
def test_errors_cross_process_boundaries_with_their_remedy(kind: type[SlidesmithError]) -> None:
    error = pickle.loads(pickle.dumps(kind("slide a.svs has no mpp", remedy="give it in the manifest")))  # noqa: S301
    assert type(error) is kind
    assert str(error) == "slide a.svs has no mpp; give it in the manifest"


def test_bad_input_exits_with_two_and_failed_runs_with_one() -> None:
    assert SlideError("x").exit_code == 2
    assert errors.GateError("x").exit_code == 1
