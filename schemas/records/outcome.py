"""Records of what screening found and what was rejected."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.records.shared import doc
from schemas.rejection import Reason, Stage


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one text-only reader made of one question."""

    question_id: str = field(metadata=doc("question read"))
    reader: str = field(metadata=doc("text-only reader (adversary)"))
    family: str = field(metadata=doc("lexical, fitted, certifier, language_model or endpoint"))
    p_key: float = field(metadata=doc("probability given to the key, out of fold for fitted readers"))
    argmax: int = field(metadata=doc("option the reader would choose"))
    fold: int = field(metadata=doc("fold that held the question out; -1 for untrained readers"))
    pvi_bits: float = field(metadata=doc("pointwise V-information: log2 k + log2 p_key"))
    flagged: bool = field(metadata=doc("the item gate flagged the question for this reader"))
    round: int = field(metadata=doc("screening round, from 0"))


@dataclass(frozen=True, slots=True)
class Rejection:
    """One item that a stage did not pass on, and why."""

    item_id: str = field(metadata=doc("id of the item, or name of the file"))
    stage: Stage = field(metadata=doc("stage that rejected it"))
    reason: Reason = field(metadata=doc("reason of a closed list"))
    detail: str = field(metadata=doc("one line for people; no host paths"))
    run_id: str = field(default="", metadata=doc("run that rejected it"))
