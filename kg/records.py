"""Records of the knowledge graph: nodes, edges, and the closed lists of what they can be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal, get_args

from schemas.ids import ID_HEX
from schemas.records.shared import Scale, doc

Category = Literal[
    "Neoplasm",
    "Disease",
    "MorphologicFinding",
    "ClinicalFinding",
    "AnatomicSite",
    "CellType",
    "AbnormalCell",
    "MolecularAbnormality",
    "Biomarker",
    "StageGrade",
    "Stain",
    "Quality",
    "Gene",
    "Process",
    "Other",
]
CATEGORIES: tuple[Category, ...] = get_args(Category)
# Biolink Model 4 classes (https://biolink.github.io/biolink-model/), the nearest one for each category.
BIOLINK: dict[Category, str] = {
    "Neoplasm": "biolink:Disease",
    "Disease": "biolink:Disease",
    "MorphologicFinding": "biolink:PhenotypicFeature",
    "ClinicalFinding": "biolink:PhenotypicFeature",
    "AnatomicSite": "biolink:AnatomicalEntity",
    "CellType": "biolink:Cell",
    "AbnormalCell": "biolink:Cell",
    "MolecularAbnormality": "biolink:SequenceVariant",
    "Biomarker": "biolink:Protein",
    "StageGrade": "biolink:ClinicalAttribute",
    "Stain": "biolink:Procedure",
    "Quality": "biolink:PhenotypicQuality",
    "Gene": "biolink:Gene",
    "Process": "biolink:BiologicalProcess",
    "Other": "biolink:NamedThing",
}
Scope = Literal["exact", "narrow", "broad", "related"]
Modality = Literal["has", "may", "excludes"]
Visibility = Literal["low", "mid", "high", "not_visible"]


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name of a concept, with its scope as in OBO."""

    text: str = field(metadata=doc("the name"))
    scope: Scope = field(default="exact", metadata=doc("exact, narrow, broad or related"))


@dataclass(frozen=True, slots=True)
class Node:
    """One concept of the graph."""

    curie: str = field(metadata=doc("compact identifier, e.g. `SSG:keratin_pearls`, `NCIT:C4349`"))
    category: Category = field(metadata=doc("category of the concept"))
    label: str = field(metadata=doc("preferred name"))
    synonyms: tuple[Synonym, ...] = field(default=(), metadata=doc("other names with their scope"))
    definition: str | None = field(default=None, metadata=doc("definition, where the source has one"))
    source: str = field(default="", metadata=doc("source that the node comes from"))
    source_version: str = field(default="", metadata=doc("version of the source"))
    licence: str = field(default="", metadata=doc("licence of the source"))
    scale: Visibility | None = field(
        default=None, metadata=doc("scale at which it can be seen, `not_visible`, or null where unknown")
    )
    attribute: str | None = field(default=None, metadata=doc("attribute of the closed vocabulary it is a value of"))
    xrefs: tuple[str, ...] = field(default=(), metadata=doc("cross references, not merged"))
    equivalent_identifiers: tuple[str, ...] = field(default=(), metadata=doc("CURIEs merged into this node"))
    citation: str | None = field(default=None, metadata=doc("where the starter graph takes the concept from"))

    @property
    def biolink(self) -> str:
        """Class of the Biolink Model nearest to the category."""
        return BIOLINK[self.category]

    @property
    def visible_scale(self) -> Scale | None:
        """Scale at which the finding is seen, None where it cannot be seen or is unknown."""
        return None if self.scale is None or self.scale == "not_visible" else self.scale


@dataclass(frozen=True, slots=True)
class Edge:
    """One statement of the graph, with where it comes from."""

    edge_id: str = field(metadata=doc("content id, `edge_...`"))
    subject: str = field(metadata=doc("CURIE of the subject"))
    predicate: str = field(metadata=doc("name of the predicate (kg/predicates.py)"))
    object: str = field(metadata=doc("CURIE of the object"))
    modality: Modality | None = field(metadata=doc("has, may, excludes, or null where it does not apply"))
    primary_knowledge_source: str = field(metadata=doc("infores CURIE of the source that states it"))
    source_version: str = field(metadata=doc("version of that source"))
    source_sha256: str = field(metadata=doc("SHA-256 of the file that was read"))
    licence: str = field(metadata=doc("licence of the source"))
    knowledge_level: str = field(metadata=doc("Biolink knowledge_level: knowledge_assertion or logical_entailment"))
    agent_type: str = field(metadata=doc("Biolink agent_type: manual_agent or automated_agent"))
    inherited_from: str | None = field(default=None, metadata=doc("CURIE of the ancestor that holds the statement"))
    citation: str | None = field(default=None, metadata=doc("publication that states the fact"))
    original_predicate: str | None = field(default=None, metadata=doc("CURIE of the predicate in the source"))

    @property
    def key(self) -> tuple[str, str, str, str, str, str]:
        """What tells two statements apart; edges are stored in this order."""
        return _key(
            self.subject, self.predicate, self.object, self.modality, self.primary_knowledge_source, self.inherited_from
        )

    def between(self, subject: str, obj: str, inherited_from: str | None = None) -> Edge:
        """Return the same statement of other ends; with a holder, it is what the subject inherits from the holder."""
        source = self.primary_knowledge_source
        # Spelt out, not dataclasses.replace: this runs for every merged and inherited edge.
        return Edge(
            edge_id=edge_id(subject, self.predicate, obj, self.modality, source, inherited_from),
            subject=subject,
            predicate=self.predicate,
            object=obj,
            modality=self.modality,
            primary_knowledge_source=source,
            source_version=self.source_version,
            source_sha256=self.source_sha256,
            licence=self.licence,
            knowledge_level="logical_entailment" if inherited_from else self.knowledge_level,
            agent_type="automated_agent" if inherited_from else self.agent_type,
            inherited_from=inherited_from,
            citation=self.citation,
            original_predicate=self.original_predicate,
        )


def _key(
    subject: str, predicate: str, obj: str, modality: str | None, source: str, inherited_from: str | None
) -> tuple[str, str, str, str, str, str]:
    return (subject, predicate, obj, modality or "", source, inherited_from or "")


def edge_id(
    subject: str, predicate: str, obj: str, modality: Modality | None, source: str, inherited_from: str | None = None
) -> str:
    """Return the content id of a statement: the same statement of the same source has one id in every build."""
    text = "\x1f".join(_key(subject, predicate, obj, modality, source, inherited_from))
    return f"edge_{hashlib.sha256(text.encode()).hexdigest()[:ID_HEX]}"
