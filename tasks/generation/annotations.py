"""Findings from region annotations: the polygons of an annotation file; points say nothing of an area.

A region's findings stand in `properties.metadata` as attribute -> value; where there is no metadata, the name of its
`classification` is taken as a value of whatever attribute knows it. `diagnosis` may stand there too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.records import Rejection
from tasks.annotation_files import read_annotations
from tasks.generation.config import FeaturesConfig
from tasks.generation.findings import Finding, ScaleBox, Term, Terms

if TYPE_CHECKING:
    import numpy as np
    from shapely import STRtree


class AnnotationSource:
    """Findings by annotated area: a value holds in a box where it holds most of the area annotated there.

    Shapes: polygons and boxes share the frame of level-0 pixels. Overlapping regions of one value count once.
    """

    def __init__(self, path: Path, corner_px0: tuple[int, int], terms: Terms, config: FeaturesConfig) -> None:
        """Read the file.

        Args:
            path: the slide's annotation file.
            corner_px0: upper left corner (x, y) of the slide's bounds.
            terms: the vocabulary for the slide's organ.
            config: shares and coverage.

        Raises:
            FileFormatError: the file is missing, or cannot be understood.
        """
        import shapely

        self._config = config
        self.rejections: list[Rejection] = []
        self._regions: dict[str, list[tuple[Any, Term]]] = defaultdict(list)  # attribute -> (polygon, value)
        for annotation in read_annotations(path, corner_px0):
            if annotation.geometry.geom_type not in {"Polygon", "MultiPolygon"}:
                continue
            geometry = shapely.make_valid(annotation.geometry)
            for term in self._terms(annotation.properties, terms, path.name):
                self._regions[term.attribute].append((geometry, term))

    def _terms(self, properties: Mapping[str, Any], terms: Terms, file: str) -> Iterator[Term]:
        metadata = {
            str(key).strip().lower(): str(value) for key, value in (properties.get("metadata") or {}).items() if value
        }
        known = [key for key in metadata if key in terms.scale_of]
        for key in known:
            term = terms.named(key, metadata[key])
            if term is None:
                self._reject_once(file, f"{key}: {metadata[key]}")
            else:
                yield term
        name = (properties.get("classification") or {}).get("name")
        if not known and name:
            term = terms.classified(str(name))
            if term is None:
                self._reject_once(file, f"classification: {name}")
            else:
                yield term

    def _reject_once(self, file: str, what: str) -> None:
        row = Rejection(file, "features", "unknown_concept", f"{what} is not in the vocabulary")
        if row not in self.rejections:
            self.rejections.append(row)

    def read(self, boxes: Sequence[ScaleBox]) -> tuple[list[Finding], list[Rejection]]:
        """Return the findings of the boxes; a box where no value holds `min_share` is `ambiguous_feature`."""
        import shapely

        findings: list[Finding] = []
        rejections = list(self.rejections)
        for attribute in sorted(self._regions):
            regions = self._regions[attribute]
            inside = [box for box in boxes if box.scale == regions[0][1].scale]
            tree = shapely.STRtree([geometry for geometry, _ in regions])
            areas = _areas(tree, [term.value.name for _, term in regions], inside)
            term_of = {term.value.name: term for _, term in regions}
            for box, area in zip(inside, areas, strict=True):
                self._judge(box, area, term_of, findings, rejections)
        return findings, rejections

    def _judge(
        self,
        box: ScaleBox,
        area: dict[str, float],
        terms: dict[str, Term],
        findings: list[Finding],
        rejections: list[Rejection],
    ) -> None:
        annotated = sum(area.values())
        if annotated < self._config.min_covered * box.box[2] * box.box[3] or annotated == 0:
            return
        value = min(area, key=lambda name: (-area[name], name))
        term, share = terms[value], area[value] / annotated
        if share >= self._config.min_share:
            concept = term.value.concept_id
            row = Finding(box.field_id, box.scale, term.attribute, value, concept, "present", "annotation")
            findings.append(row)
        else:
            detail = f"{term.attribute} at {box.scale}: {value} holds {share:.0%} of the annotated area"
            rejections.append(Rejection(box.field_id, "features", "ambiguous_feature", detail))


def _areas(tree: STRtree, values: list[str], boxes: Sequence[ScaleBox]) -> list[dict[str, float]]:
    """Return per box the area (px0 squared) that each value covers in it."""
    import numpy as np
    import shapely

    corners = np.array([box.box for box in boxes], dtype=float).reshape(-1, 4)
    rectangles = shapely.box(corners[:, 0], corners[:, 1], corners[:, 0] + corners[:, 2], corners[:, 1] + corners[:, 3])
    box_index, region_index = tree.query(rectangles, predicate="intersects")
    pieces = shapely.intersection(rectangles[box_index], tree.geometries[region_index])
    parts: list[dict[str, list[Any]]] = [defaultdict(list) for _ in boxes]
    for index, region, piece in zip(_ints(box_index), _ints(region_index), pieces, strict=True):
        parts[index][values[region]].append(piece)
    return [
        {
            value: float(shapely.area(found[0] if len(found) == 1 else shapely.union_all(found)))
            for value, found in by_value.items()
        }
        for by_value in parts
    ]


def _ints(indices: np.ndarray[Any, Any]) -> list[int]:
    return [int(index) for index in indices]
