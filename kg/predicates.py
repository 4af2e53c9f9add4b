"""The closed list of predicates: how each is said in words, in Biolink, and whether descendants inherit it."""

from __future__ import annotations

from dataclasses import dataclass

SUBCLASS_OF = "subclass_of"
PART_OF = "part_of"
WITHIN = "within"


@dataclass(frozen=True, slots=True)
class Predicate:
    """One kind of statement.

    Attributes:
        words: the statement read from subject to object.
        inverse: the statement read from object to subject.
        biolink: the predicate of the Biolink Model that the export uses.
        role: True where a disease's statement holds of its descendants too.
    """

    words: str
    inverse: str
    biolink: str
    role: bool = False


PREDICATES: dict[str, Predicate] = {
    SUBCLASS_OF: Predicate("is a kind of", "has the kind", "biolink:subclass_of"),
    PART_OF: Predicate("is part of", "has the part", "biolink:part_of"),
    "within": Predicate("is a kind or part of", "has the kind or part", "biolink:related_to"),
    "located_in": Predicate("is seen in", "shows", "biolink:located_in"),
    "has_cell": Predicate("contains", "is found in", "biolink:has_part"),
    "indicates": Predicate("indicates", "is indicated by", "biolink:related_to"),
    "disjoint_with": Predicate("cannot hold together with", "cannot hold together with", "biolink:disjoint_with"),
    "has_finding": Predicate("has the finding", "is a finding of", "biolink:has_phenotype", role=True),
    "has_abnormal_cell": Predicate("has the abnormal cell", "is a cell of", "biolink:has_phenotype", role=True),
    "has_primary_site": Predicate("arises in", "is the site of", "biolink:located_in", role=True),
    "has_associated_site": Predicate("involves", "is involved by", "biolink:located_in", role=True),
    "has_metastatic_site": Predicate("spreads to", "receives spread of", "biolink:related_to", role=True),
    "has_cell_origin": Predicate("derives from the cell", "gives rise to", "biolink:derives_from", role=True),
    "has_tissue_origin": Predicate("derives from the tissue", "gives rise to", "biolink:derives_from", role=True),
    "has_molecular_abnormality": Predicate("has the abnormality", "is found in", "biolink:related_to", role=True),
    "has_cytogenetic_abnormality": Predicate("has the abnormality", "is found in", "biolink:related_to", role=True),
    "has_biomarker": Predicate("is tested for", "is tested in", "biolink:has_biomarker", role=True),
    "has_grade": Predicate("has the grade", "is the grade of", "biolink:has_attribute", role=True),
    "has_stage": Predicate("has the stage", "is the stage of", "biolink:has_attribute", role=True),
    "associated_disease": Predicate("goes with", "goes with", "biolink:associated_with"),
    "involves_gene": Predicate("involves the gene", "is involved in", "biolink:related_to"),
    "related_to": Predicate("is related to", "is related to", "biolink:related_to"),
}
FINDING_PREDICATES: tuple[str, ...] = ("has_finding", "has_abnormal_cell")
ROLE_PREDICATES: tuple[str, ...] = tuple(name for name, predicate in PREDICATES.items() if predicate.role)
