"""What the verbs of `slidesmith release` choose alike: the store, the dataset, the version."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tasks.releases.stores import ReleaseStore

Command = TypeVar("Command", bound=Callable[..., Any])

_STORE = click.option(
    "--store", default="demo-out/store", show_default=True, help="Folder of the store, or s3://bucket/prefix."
)
_DATASET = click.option("--dataset", default="slidesmith-demo", show_default=True)
_VERSION = click.option("--version", default="latest", show_default=True, help="Version or tag.")


def store_option(command: Command) -> Command:
    """Add `--store`."""
    return _STORE(command)


def dataset_options(command: Command) -> Command:
    """Add `--store` and `--dataset`."""
    return _STORE(_DATASET(command))


def release_options(command: Command) -> Command:
    """Add `--store`, `--dataset` and `--version`."""
    return _STORE(_DATASET(_VERSION(command)))


def opened(place: str) -> ReleaseStore:
    """Return a store that is there.

    Raises:
        InputError: there is no such folder.
    """
    from pathlib import Path

    from schemas.errors import InputError
    from tasks.releases.stores import open_store

    if "://" not in place and not Path(place).is_dir():
        raise InputError(f"there is no store at {place}", remedy="name the folder of a store, or publish a release")
    return open_store(place)
