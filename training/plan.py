"""Who reads which row groups of a split, in which order: exact, from one light column, without an index of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.errors import FileFormatError
from training.release import Release, Split

WINDOW_GROUPS = 8
"""Row groups whose rows are shuffled together: 8 x 256 tiles of 20 kB are 40 MB."""


@dataclass(frozen=True, slots=True)
class Group:
    """One row group of the tiles and the fields that begin in it.

    Attributes:
        place: position in the whole split, over all files.
        file: index of its file.
        index: index of the row group within the file.
        fields: how many fields begin in it.
        spills: its last field goes on in the next row group.
    """

    place: int
    file: int
    index: int
    fields: int
    spills: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The tile files of a split and their row groups."""

    files: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def fields(self) -> int:
        """Number of fields of the split."""
        return sum(group.fields for group in self.groups)


def read_layout(release: Release, split: Split) -> Layout:
    """Return where fields begin, from the `field_id` column alone; memory holds the ids of one pass.

    Raises:
        FileFormatError: the tiles of one field do not stand together.
    """
    files = release.files("tiles", split)
    begins: list[tuple[int, int, int, bool]] = []
    seen: set[str] = set()
    last = None
    for file, path in enumerate(files):
        with release.open(path) as parquet:
            for index in range(parquet.num_row_groups):
                ids = parquet.read_row_group(index, columns=["field_id"]).column(0).to_pylist()
                goes_on = bool(ids) and ids[0] == last
                count = 0
                for field_id in ids:
                    if field_id == last:
                        continue
                    if field_id in seen:
                        raise FileFormatError(
                            f"tiles of {field_id} stand apart in the {split} split",
                            remedy="publish the release again: its tiles must be grouped by field",
                        )
                    seen.add(field_id)
                    last = field_id
                    count += 1
                begins.append((file, index, count, goes_on))
    spills = [*(begin[3] for begin in begins[1:]), False]
    groups = [Group(place, file, index, count, spills[place]) for place, (file, index, count, _) in enumerate(begins)]
    return Layout(tuple(files), tuple(groups))


@dataclass(frozen=True, slots=True)
class Window:
    """Row groups that are read together, and the order in which their fields are given out."""

    groups: tuple[Group, ...]
    order: tuple[int, ...]


def windows_of_shard(layout: Layout, *, seed: int, epoch: int, shard: int, shards: int) -> list[Window]:
    """Return what one of `shards` readers reads in one epoch; the shards are disjoint and cover the split.

    Row groups are shuffled, dealt out in turn, gathered in windows of 8, and the fields within a window shuffled.
    """
    order = np.random.default_rng([seed, 2, epoch]).permutation(len(layout.groups))
    mine = [layout.groups[place] for place in order[shard::shards]]
    windows = []
    for start in range(0, len(mine), WINDOW_GROUPS):
        groups = tuple(mine[start : start + WINDOW_GROUPS])
        draws = np.random.default_rng([seed, 3, epoch, shard, start])
        windows.append(Window(groups, tuple(draws.permutation(sum(group.fields for group in groups)).tolist())))
    return windows


def batches_per_shard(layout: Layout, batch: int, *, seed: int, epoch: int, shards: int) -> int:
    """Return the number of whole batches that every one of `shards` readers can give in an epoch."""
    order = np.random.default_rng([seed, 2, epoch]).permutation(len(layout.groups))
    counts = [sum(layout.groups[place].fields for place in order[shard::shards]) for shard in range(shards)]
    return int(min(counts)) // batch
