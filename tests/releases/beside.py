"""Two publishers at once, one of whom is first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tasks.releases.stores import ReleaseStore

Store = TypeVar("Store", bound=ReleaseStore)


def beside(store: Store, other: Callable[[], object]) -> Store:
    """Have another publisher come between the look of who publishes next and their version's appearing."""
    appear = store.publish

    def second(*arguments: Any) -> bool:
        setattr(store, "publish", appear)  # noqa: B010 - an attribute of this one store
        other()
        return appear(*arguments)

    setattr(store, "publish", second)  # noqa: B010
    return store
