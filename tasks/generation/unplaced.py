"""Expert captions and reports that name a slide, field or tile which the run does not have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.records import Field, Rejection, Report, Slide
from schemas.records.shared import SCALES
from tasks.generation.expert_captions import ExpertCaption


def unplaced(
    slides: Sequence[Slide], fields: Iterable[Field], captions: Iterable[ExpertCaption], reports: Iterable[Report]
) -> list[Rejection]:
    """Return a rejection (`unknown_place`) for each caption and each report that names nothing of the run.

    A caption that names a slide of the run is told with that slide, should it bind to none of its fields.

    Args:
        slides: the slides that were tiled.
        fields: their fields.
        captions: the expert captions of the whole run.
        reports: the reports of the whole run; one that names no slide speaks of all slides of its patient.
    """
    targets = {name for field in fields for name in (field.field_id, *map(field.tile_id, SCALES))}
    named = {name for slide in slides for name in (slide.slide_id, slide.uri)}
    rejections = []
    for caption in captions:
        if caption.slide_id not in named if caption.slide_id else caption.target not in targets:
            item, detail = caption.slide_id or caption.target or "", f"{caption.scale} caption of no place of this run"
            rejections.append(Rejection(item, "generation", "unknown_place", detail))
    patient_of = {slide.slide_id: slide.patient_id for slide in slides}
    for report in reports:
        if report.slide_id and patient_of.get(report.slide_id) != report.patient_id:
            detail = f"{report.report_id} names this as its slide, which its patient has not in this run"
            rejections.append(Rejection(report.slide_id, "generation", "unknown_place", detail))
    return rejections
