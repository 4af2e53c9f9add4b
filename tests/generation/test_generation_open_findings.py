"""Captions and perturbations of findings beyond the closed vocabulary."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Feature, Field
from schemas.records.generation import CaptionLevel
from schemas.records.shared import Status
from tasks.generation.authorship import Wordings
from tasks.generation.captions import write_captions
from tasks.generation.view import FieldView, Tools
from tests.generation.conftest import all_texts

MakeField = Callable[..., Field]


def test_findings_beyond_the_vocabulary_are_replaced_by_siblings_that_nothing_certifies(
    make_field: MakeField, tools: Tools
) -> None:
    finding = Feature(
        "feat_1", "high", "finding/keratin_pearls", "present", "SSG:vesicular_chromatin", source="annotation"
    )
    field = dataclasses.replace(make_field("g", organ="urinary bladder"), features=(finding,))
    captions, rows = all_texts(field, tools)
    assert "At high magnification the cells show vesicular chromatin." in {caption.text for caption in captions}
    replaced = [row for row in rows if row.operator == "replace"]
    assert replaced
    for row in replaced:
        node = tools.graph.nodes[row.to_concept or ""]
        assert node.scale == "high"
        assert node.category == "MorphologicFinding"
        assert row.certificate == "unverified" or row.certificate.startswith("excludes:")
    assert any(not row.hard_negative for row in rows)


def _named(tools: Tools, *curies: str, polarity: Status = "present") -> list[Feature]:
    seen = {curie: tools.graph.nodes[curie].visible_scale for curie in curies}
    return [
        Feature(f"feat_{curie}", scale, f"finding/{curie[4:]}", "present", curie, polarity, source="caption")
        for curie, scale in seen.items()
        if scale is not None
    ]


OPEN_FINDINGS = (
    "SSG:infiltrative_border",
    "SSG:ulceration",
    "SSG:perineural_invasion",
    "SSG:lymphovascular_invasion",
    "SSG:nested_architecture",
    "SSG:poorly_differentiated",
    "SSG:invasion",
    "SSG:signet_ring_cell",
)


@given(curies=st.sets(st.sampled_from(OPEN_FINDINGS), min_size=1))
def test_nothing_that_a_field_shows_nor_a_heading_is_put_in_a_findings_place(
    curies: set[str], make_field: MakeField, tools: Tools
) -> None:
    features = tuple(_named(tools, *sorted(curies)))
    field = dataclasses.replace(make_field("g", organ="urinary bladder"), features=features)
    for row in all_texts(field, tools)[1]:
        if row.operator == "replace" and row.to_concept:
            true = {row.to_concept, *tools.graph.ancestors(row.to_concept), *tools.graph.descendants(row.to_concept)}
            assert not true & curies
            assert not tools.graph.children(row.to_concept) or row.from_concept == "SSG:invasion"
        if row.operator == "rehierarchise":
            assert row.from_concept in tools.graph.ancestors(row.to_concept or "")
            assert row.certificate == "unverified"


def test_what_an_expert_denies_is_said_and_its_opposite_is_known_to_be_false(
    make_field: MakeField, tools: Tools
) -> None:
    features = _named(tools, "SSG:perineural_invasion") + _named(tools, "SSG:stromal_invasion", polarity="absent")
    field = dataclasses.replace(make_field("g", organ="urinary bladder"), features=tuple(features))
    said, claimed = set[str](), dict[str, str]()
    for name in "abcdefgh":  # which of the findings is spoken of is drawn by field
        captions, rows = all_texts(dataclasses.replace(field, field_id=name), tools)
        said |= {caption.text for caption in captions if '"sought"' in caption.provenance.parameters}
        claimed |= {row.text: row.certificate for row in rows if row.operator == "negate"}
        replaced = [row for row in rows if row.to_concept == "SSG:stromal_invasion" and row.operator == "replace"]
        assert {row.certificate for row in replaced} <= {"truth"}
    assert "Not found at mid magnification: stromal invasion." in said
    assert claimed["Found at mid magnification: stromal invasion."] == "truth"
    assert any("perineural invasion" in text for text in said)
    assert set(claimed.values()) == {"truth"}


def test_a_caption_that_hardly_differs_from_another_of_its_field_is_left_out(
    make_field: MakeField, tools: Tools
) -> None:
    wordings: dict[tuple[str, CaptionLevel], tuple[str, ...]] = {
        ("plain", "cytology"): (
            "Seen at high magnification are the following: {{ findings }}, in this one field of the slide.",
            "Seen at high magnification are the following: {{ findings }}, in this same field of the slide.",
        )
    }
    alike = dataclasses.replace(tools, wordings=Wordings(captions=wordings))
    finding = tuple(_named(tools, "SSG:vesicular_chromatin"))
    view = FieldView(dataclasses.replace(make_field("g"), features=finding))
    kept, rejections = write_captions(view, alike)
    texts = [caption.text for caption, _ in kept if caption.level == "cytology" and "Seen" in caption.text]
    assert len(texts) == 1
    assert [row.reason for row in rejections] == ["near_duplicate"]
