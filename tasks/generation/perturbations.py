"""Perturbations: captions with exactly one declared change that makes them wrong (PathoHR)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from schemas.ids import content_id
from schemas.records import Caption, Perturbation, Rejection
from schemas.records.generation import Operator, Role
from tasks.generation.authorship import Author
from tasks.generation.caption_styles import Draft
from tasks.generation.operators import OPERATORS, Change
from tasks.generation.similarity import TfIdf, edit_similarity
from tasks.generation.view import FieldView, Tools, provenance, trusted

_DIGITS = 6  # of a similarity: enough to tell, and the same on every machine


def perturb(
    caption: Caption, draft: Draft, view: FieldView, tools: Tools, tfidf: TfIdf, proposed: Sequence[Change] = ()
) -> tuple[list[Perturbation], list[Rejection]]:
    """Return the perturbations of one caption, at most `negatives_per_operator` per operator and role.

    Changes that an endpoint proposed come on top.

    A change whose text equals the caption or an earlier change of it is rejected as `near_duplicate`.
    """
    groups: dict[tuple[Operator, Role], list[Change]] = defaultdict(list)
    for change in OPERATORS[draft.style](draft, view, tools):
        groups[change.operator, change.role].append(change)
    rows: list[Perturbation] = []
    rejections: list[Rejection] = []
    seen = {caption.text}
    for (operator, role), changes in sorted(groups.items()):
        tools.choice(caption.caption_id, operator, role).shuffle(changes)
        del changes[tools.config.negatives_per_operator :]
    for (operator, role), changes in [*sorted(groups.items()), *(((c.operator, c.role), [c]) for c in proposed)]:
        for change in changes:
            row = _row(caption, change, view, tools, tfidf, tools.wordings.authors.get(draft.source))
            if row.text in seen:
                detail = f"{operator} of {role}: the text exists already"
                rejections.append(Rejection(row.perturbation_id, "generation", "near_duplicate", detail))
            else:
                seen.add(row.text)
                rows.append(row)
    return rows, rejections


def _row(
    caption: Caption, change: Change, view: FieldView, tools: Tools, tfidf: TfIdf, author: Author | None
) -> Perturbation:
    start, end = change.span.start, change.span.end
    put = change.replacement
    if start == 0:
        put = put[:1].upper() + put[1:]
    text = caption.text[:start] + put + caption.text[end:]
    certificate = certify(change, view, tools)
    edit = round(edit_similarity(caption.text, caption.text[start:end], put), _DIGITS)
    meaning = round(tfidf.cosine(caption.text, text), _DIGITS)
    bounds = tools.config.constraint
    close = edit >= bounds.min_edit_similarity and meaning >= bounds.min_semantic_similarity
    certified = certificate != "unverified"
    return Perturbation(
        perturbation_id=content_id("pert", caption.caption_id, change.operator, change.role, start, end, put),
        caption_id=caption.caption_id,
        field_id=caption.field_id,
        patient_id=caption.patient_id,
        scale=caption.scale,
        text=text,
        operator=change.operator,
        role=change.role,
        start=start,
        end=end,
        replacement=put,
        from_concept=change.from_concept,
        to_concept=change.to_concept,
        certified_false=certified,
        certificate=certificate,
        edit_similarity=edit,
        semantic_similarity=meaning,
        hard_negative=close and certified,
        provenance=provenance(
            caption.provenance.prompt_sha256,
            (
                ("min_edit_similarity", bounds.min_edit_similarity),
                ("min_semantic_similarity", bounds.min_semantic_similarity),
            ),
            change.author or author,
        ),
    )


def certify(change: Change, view: FieldView, tools: Tools) -> str:
    """Return why a change is false: an exclusion in the graph, the known truth of the field, or `unverified`.

    Truth excludes a claimed concept only where it is another value of the same attribute, or is denied of the field
    itself: findings outside the vocabulary may well stand beside one another.
    """
    if change.conflict is not None:
        edge = tools.facts.exclusion(*change.conflict)
        if edge is not None:
            return f"excludes:{edge.edge_id}"
        values = tools.values.of(change.holds[0].attribute, view.field.organ).values()
        if not set(change.conflict) <= set(values):
            denied = [item for item in view.field.features if item.polarity == "absent"]
            known = any(item.concept_id == change.conflict[1] and trusted((item,)) for item in denied)
            return "truth" if known else "unverified"
    return "truth" if trusted(change.holds) else "unverified"
