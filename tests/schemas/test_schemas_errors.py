from __future__ import annotations

import pickle

import pytest

from schemas import errors
from schemas.errors import SlideError, SlidesmithError
from schemas.ids import canonical_json, content_id

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SlidesmithError)]


@pytest.mark.parametrize("kind", ALL)
def test_errors_cross_process_boundaries_with_their_remedy(kind: type[SlidesmithError]) -> None:
    error = pickle.loads(pickle.dumps(kind("slide a.svs has no mpp", remedy="give it in the manifest")))  # noqa: S301
    assert type(error) is kind
    assert str(error) == "slide a.svs has no mpp; give it in the manifest"


def test_bad_input_exits_with_two_and_failed_runs_with_one() -> None:
    assert SlideError("x").exit_code == 2
    assert errors.GateError("x").exit_code == 1


def test_ids_depend_on_content_not_on_key_order() -> None:
    assert content_id("tile", {"a": 1, "b": 2}) == content_id("tile", {"b": 2, "a": 1})
    assert content_id("tile", "ab", "c") != content_id("tile", "a", "bc")


def test_not_a_number_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json(float("nan"))
