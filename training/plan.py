"""Who reads which row groups of a split, in which order: exact, from one light column, without an index of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.errors import FileFormatError
from training.release import Release, Split

WINDOW_GROUPS = 8
"""Row groups whose rows are shuffled together: 8 x 256 tiles of 20 kB are 40 MB."""


FARTHEST_GROUPS = 8
"""Row groups over which the tiles of one field may be spread; beyond, reading them together wastes most of the work."""


@dataclass(frozen=True, slots=True)
class Group:
    """One row group of the tiles and the fields that begin in it.

    Attributes:
        place: position in the whole split, over all files.
        file: index of its file.
        index: index of the row group within the file.
        fields: how many fields begin in it.
        reach: how many further row groups hold tiles of those fields.
    """

    place: int
    file: int
    index: int
    fields: int
    reach: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The tile files of a split and their row groups."""

    files: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def fields(self) -> int:
        """Number of fields of the split."""
        return sum(group.fields for group in self.groups)

    def before(self, group: Group) -> tuple[Group, ...]:
        """Return the earlier row groups whose fields have tiles up to this one."""
        earlier = self.groups[max(0, group.place - FARTHEST_GROUPS) : group.place]
        return tuple(other for other in earlier if other.place + other.reach >= group.place)

    def after(self, group: Group) -> tuple[Group, ...]:
        """Return the later row groups that hold tiles of the fields that begin in this one."""
        return self.groups[group.place + 1 : group.place + 1 + group.reach]


def read_layout(release: Release, split: Split) -> Layout:
    """Return where fields begin, from the `field_id` column alone; only this pass holds the ids of all fields.

    Raises:
        FileFormatError: the tiles of one field lie more than 8 row groups apart.
    """
    files = release.files("tiles", split)
    spots: list[tuple[int, int]] = []
    begins: dict[str, int] = {}
    counts: list[int] = []
    reach: list[int] = []
    for file, path in enumerate(files):
        with release.open(path) as parquet:
            for index in range(parquet.num_row_groups):
                place = len(spots)
                spots.append((file, index))
                ids = set(parquet.read_row_group(index, columns=["field_id"]).column(0).to_pylist())
                reach.append(0)
                counts.append(sum(begins.setdefault(field_id, place) == place for field_id in ids))
                for field_id in ids:
                    reach[begins[field_id]] = max(reach[begins[field_id]], place - begins[field_id])
    if reach and max(reach) > FARTHEST_GROUPS:
        raise FileFormatError(
            f"tiles of one field stand {max(reach)} row groups apart in the {split} split",
            remedy="publish the release again with its tiles in the order of their fields",
        )
    return Layout(
        tuple(files),
        tuple(Group(place, *spot, counts[place], reach[place]) for place, spot in enumerate(spots)),
    )


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
