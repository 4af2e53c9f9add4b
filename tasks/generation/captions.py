"""Captions: the hierarchy site, architecture, compartment, cytology, impression, each alone and all expanded (PathoHR).

Reference: PathoHR's hierarchical captions; its texts are not public, so phrasings and styles are ours.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from schemas.ids import content_id
from schemas.records import Caption, Rejection
from schemas.records.generation import CaptionLevel
from tasks.generation.authorship import Author
from tasks.generation.caption_styles import Draft, plain, source_sha256
from tasks.generation.contrast_styles import contrast, presence, relation, sought
from tasks.generation.graded_styles import complete, ranking, where
from tasks.generation.view import FieldView, Tools, provenance

_SHINGLE = 3  # words
STYLES: dict[str, Callable[[FieldView, Tools], Iterator[Draft]]] = {
    "plain": plain,
    "contrast": contrast,
    "presence": presence,
    "sought": sought,
    "complete": complete,
    "relation": relation,
    "where": where,
    "ranking": ranking,
}
"""Every style of templates/captions.yaml."""


def write_captions(view: FieldView, tools: Tools) -> tuple[list[tuple[Caption, Draft]], list[Rejection]]:
    """Return the captions of one field with their drafts, and those dropped as near-duplicates of an earlier one."""
    kept: list[tuple[Caption, Draft]] = []
    seen: dict[tuple[CaptionLevel, str], list[frozenset[str]]] = {}
    phrasing: Counter[CaptionLevel] = Counter()
    rejections: list[Rejection] = []
    for draft in _drafts(view, tools):
        author = tools.wordings.authors.get(draft.source, draft.author)
        caption = _caption(view, draft, phrasing[draft.level], author)
        shingles = _shingles(draft.rendered.text)
        bound = tools.config.near_duplicate_similarity
        alike = seen.setdefault((draft.level, draft.style), [])  # styles say different things in similar words
        if any(_jaccard(shingles, other) >= bound for other in alike):
            detail = f"{draft.level}, style {draft.style}: nearly equal to another caption of the field"
            rejections.append(Rejection(caption.caption_id, "generation", "near_duplicate", detail))
            continue
        alike.append(shingles)
        phrasing[draft.level] += 1
        kept.append((caption, draft))
    return kept, rejections


def _drafts(view: FieldView, tools: Tools) -> Iterator[Draft]:
    for style in STYLES.values():
        yield from style(view, tools)


def _caption(view: FieldView, draft: Draft, phrasing: int, author: Author | None) -> Caption:
    field = view.field
    return Caption(
        caption_id=content_id("cap", field.field_id, draft.level, draft.style, draft.surface, draft.rendered.text),
        field_id=field.field_id,
        slide_id=field.slide_id,
        patient_id=field.patient_id,
        tile_id=field.tile_id(draft.scale) if draft.scale else None,
        scale=draft.scale,
        level=draft.level,
        text=draft.rendered.text,
        phrasing=phrasing,
        concept_ids=draft.asserted,
        feature_ids=tuple(feature.feature_id for feature in draft.features),
        provenance=provenance(source_sha256(draft.source), (("style", draft.style),), author),
    )


def _shingles(text: str) -> frozenset[str]:
    words = re.findall(r"\w+", text.lower())
    return frozenset(" ".join(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1)))


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second)
