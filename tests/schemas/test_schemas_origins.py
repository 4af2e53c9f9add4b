"""A rejected item's row says where the item came from."""

from __future__ import annotations

from schemas.origins import with_origin
from schemas.records import Rejection


def test_the_detail_names_the_origin_unless_the_item_is_one() -> None:
    rows = [
        Rejection("mcq_1", "screening", "leaks", "read without the image"),
        Rejection("field_1", "features", "no_features", "nothing is known"),
    ]
    told = with_origin(rows, {"mcq_1": "field_1"}.get)
    assert [row.detail for row in told] == ["read without the image (of field_1)", "nothing is known"]
    assert (told[0].item_id, told[0].reason) == ("mcq_1", "leaks")
