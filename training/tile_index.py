"""Random access to the tiles of a field, for trainers that ask for single samples."""

from __future__ import annotations

from collections import OrderedDict

from schemas.records.shared import SCALES, Scale
from training.release import Release, Split

_KEPT_GROUPS = 4
_Spot = tuple[int, int, int]


class TileIndex:
    """Where every tile of a split lies; row groups read last are kept.

    Memory: about 200 bytes a tile, and four row groups.

    Args:
        release: the release.
        split: its split.
    """

    def __init__(self, release: Release, split: Split) -> None:
        self._release = release
        self._files = release.files("tiles", split)
        self._spots: dict[tuple[str, str], _Spot] = {}
        self._kept: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        for number, file in enumerate(self._files):
            with release.open(file) as parquet:
                for group in range(parquet.num_row_groups):
                    table = parquet.read_row_group(group, columns=["field_id", "scale"])
                    ids, scales = (column.to_pylist() for column in table.columns)
                    for row, key in enumerate(zip(ids, scales, strict=True)):
                        self._spots[key] = (number, group, row)

    def __contains__(self, field_id: str) -> bool:
        """Return whether the field has a tile at any scale."""
        return any((field_id, scale) in self._spots for scale in SCALES)

    def tiles(self, field_id: str) -> dict[Scale, bytes]:
        """Return the JPEG bytes of a field's tiles by scale, from low to high; empty for a field without tiles."""
        spots = {scale: self._spots[field_id, scale] for scale in SCALES if (field_id, scale) in self._spots}
        return {scale: self._group(file, group)[row] for scale, (file, group, row) in spots.items()}

    def _group(self, file: int, group: int) -> list[bytes]:
        if (file, group) not in self._kept:
            with self._release.open(self._files[file]) as parquet:
                images = parquet.read_row_group(group, columns=["image"]).column(0).to_pylist()
            self._kept[file, group] = images
            if len(self._kept) > _KEPT_GROUPS:
                self._kept.popitem(last=False)
        self._kept.move_to_end((file, group))
        return self._kept[file, group]
