"""Records of captions, perturbations, questions and reasoning samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from schemas.records.shared import Provenance, Scale, doc

CaptionLevel = Literal["site", "architecture", "compartment", "cytology", "impression", "full"]
Operator = Literal["replace", "swap", "negate", "omit", "insert", "intensify", "relocate", "rescale", "rehierarchise"]
Role = Literal["entity", "descriptor", "relation", "order"]
Dimension = Literal["correspondence", "confirmation", "localization", "explanation", "diagnosis"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
OPERATOR_ROLES: dict[Operator, tuple[Role, ...]] = {
    "replace": ("entity", "descriptor", "relation"),
    "swap": ("entity", "descriptor"),
    "negate": ("entity", "descriptor"),
    "omit": ("entity",),
    "insert": ("entity",),
    "intensify": ("descriptor",),
    "relocate": ("relation",),
    "rescale": ("relation",),
    "rehierarchise": ("order",),
}
OBSERVE, THINK, ANSWER = "observe", "think", "answer"
"""Tags of a reasoning trajectory, shared by data, prompts and rewards."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One caption of a field at one level of the hierarchy (PathoHR)."""

    caption_id: str = field(metadata=doc("content id, `cap_...`"))
    field_id: str = field(metadata=doc("field that the caption describes"))
    slide_id: str = field(metadata=doc("slide of the field"))
    patient_id: str = field(metadata=doc("patient of the slide"))
    tile_id: str | None = field(metadata=doc("tile described, or null for the whole field"))
    scale: Scale | None = field(metadata=doc("scale of the tile, or null for the whole field"))
    level: CaptionLevel = field(metadata=doc("level of the hierarchy; `full` is the expanded text of all levels"))
    text: str = field(metadata=doc("the caption"))
    phrasing: int = field(metadata=doc("index of the phrasing, 0 is the first"))
    concept_ids: tuple[str, ...] = field(metadata=doc("concepts asserted"))
    feature_ids: tuple[str, ...] = field(metadata=doc("features of the field that it states"))
    provenance: Provenance = field(metadata=doc("how the row was made"))


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One caption with exactly one declared change that makes it wrong (PathoHR)."""

    perturbation_id: str = field(metadata=doc("content id, `pert_...`"))
    caption_id: str = field(metadata=doc("caption that was changed"))
    field_id: str = field(metadata=doc("field of the caption"))
    patient_id: str = field(metadata=doc("patient of the field"))
    scale: Scale | None = field(metadata=doc("scale of the caption's tile, or null for the whole field"))
    text: str = field(metadata=doc("the changed text"))
    operator: Operator = field(metadata=doc("what was done"))
    role: Role = field(metadata=doc("semantic role of what was changed"))
    start: int = field(metadata=doc("first changed character of the caption"))
    end: int = field(metadata=doc("one past the last changed character of the caption"))
    replacement: str = field(metadata=doc("text that stands in place of the span"))
    from_concept: str | None = field(metadata=doc("concept before"))
    to_concept: str | None = field(metadata=doc("concept after"))
    certified_false: bool = field(metadata=doc("known to be false: by truth or by an `excludes` edge"))
    certificate: str = field(metadata=doc("why: truth, excludes:EDGE_ID, or unverified"))
    edit_similarity: float = field(metadata=doc("1 - normalised edit distance to the caption, 0 to 1"))
    semantic_similarity: float = field(metadata=doc("cosine of TF-IDF (or embedding) vectors, 0 to 1"))
    hard_negative: bool = field(metadata=doc("meets the dual constraint: textually close and certified false"))
    provenance: Provenance = field(metadata=doc("how the row was made"))
    mirrored: bool = field(
        default=False,
        metadata=doc(
            "one of a balanced pair of hard negatives (T for U, U for T): no text-only reader beats 50% on them"
        ),
    )


@dataclass(frozen=True, slots=True)
class Question:
    """One multiple-choice question about a field (Scale-VQA)."""

    question_id: str = field(metadata=doc("content id, `mcq_...`"))
    field_id: str = field(metadata=doc("field that is asked about"))
    slide_id: str = field(metadata=doc("slide of the field"))
    patient_id: str = field(metadata=doc("patient of the slide"))
    dimension: Dimension = field(metadata=doc("one of five question dimensions"))
    template: str = field(metadata=doc("name of the template"))
    template_kind: Literal["fixed", "free"] = field(metadata=doc("fixed or free template"))
    scales: tuple[Scale, ...] = field(metadata=doc("scales the question needs"))
    question: str = field(metadata=doc("the question"))
    options: tuple[str, ...] = field(metadata=doc("the options in the order shown"))
    option_concepts: tuple[str, ...] = field(metadata=doc("per option its concept ids joined by `+`, empty if none"))
    answer_index: int = field(metadata=doc("index of the key in options"))
    rationale: str = field(metadata=doc("why the key is right, without letters"))
    evidence_ids: tuple[str, ...] = field(metadata=doc("feature ids, of every scale needed"))
    option_set_id: str | None = field(metadata=doc("counterbalanced set, or null for per-item options"))
    cell: str = field(metadata=doc("screening cell: dimension/template/generator"))
    split: str = field(metadata=doc("train, val or test: counterbalance holds within it"))
    round: int = field(metadata=doc("round of screening in which the text was made, from 0"))
    provenance: Provenance = field(metadata=doc("how the row was made"))


@dataclass(frozen=True, slots=True)
class ReasoningStep:
    """One step of a reasoning trajectory: one hop of the graph path."""

    text: str = field(metadata=doc("the step in words"))
    edge_id: str | None = field(metadata=doc("edge of the graph that the step cites"))
    edge_source: str | None = field(metadata=doc("primary knowledge source of the edge"))
    concept_ids: tuple[str, ...] = field(default=(), metadata=doc("concepts named in the step"))


@dataclass(frozen=True, slots=True)
class Reasoning:
    """One reasoning sample: observe, think step by step, answer (PathReasoner)."""

    sample_id: str = field(metadata=doc("content id, `reason_...`"))
    field_id: str = field(metadata=doc("field observed"))
    slide_id: str = field(metadata=doc("slide of the field"))
    patient_id: str = field(metadata=doc("patient of the slide"))
    prompt: str = field(metadata=doc("what the model is asked"))
    observe: str = field(metadata=doc("findings that the field shows"))
    think: tuple[ReasoningStep, ...] = field(metadata=doc("steps from findings to diagnosis"))
    answer: str = field(metadata=doc("the diagnosis"))
    kg_path: tuple[str, ...] = field(metadata=doc("edge ids of the paths used"))
    concept_ids: tuple[str, ...] = field(metadata=doc("concepts asserted"))
    concept_status: tuple[str, ...] = field(metadata=doc("status of each concept: present, absent or uncertain"))
    provenance: Provenance = field(metadata=doc("how the row was made"))
