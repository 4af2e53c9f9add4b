"""Captions and perturbations of fields."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.graph import Graph
from kg.vocabulary import Vocabulary, load_vocabulary
from schemas.ids import digest
from schemas.records import Caption, Feature, Field, Perturbation
from schemas.records.generation import OPERATOR_ROLES, CaptionLevel
from schemas.records.shared import Status
from tasks.generation.authorship import Wordings
from tasks.generation.captions import STYLES, write_captions
from tasks.generation.config import GenerationConfig
from tasks.generation.mirror import mirrored
from tasks.generation.operators import OPERATORS
from tasks.generation.perturbations import perturb
from tasks.generation.similarity import TfIdf, edit_distance, edit_similarity
from tasks.generation.texts import generate_texts
from tasks.generation.view import FieldView, Tools
from tasks.store import Shard, ShardStore, ShardWriter

GOLDEN = Path(__file__).parent / "golden" / "texts.json"
MakeField = Callable[..., Field]
FULL = {
    "architecture": "papillary",
    "stroma": "myxoid",
    "inflammation": "dense",
    "inflammation_site": "stromal",
    "nuclear_size": "small",
    "pleomorphism": "mild",
    "mitoses": "frequent",
    "nucleoli": "prominent",
    "grade": "low",
}
ATTRIBUTES = load_vocabulary().attributes
some_values = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(list(attribute.values)) for name, attribute in ATTRIBUTES.items()}
)


TFIDF = TfIdf([])  # document frequencies are of no matter to most tests


def _all_texts(field: Field, tools: Tools, tfidf: TfIdf = TFIDF) -> tuple[list[Caption], list[Perturbation]]:
    view = FieldView(field)
    written, _ = write_captions(view, tools)
    rows = [row for caption, draft in written for row in perturb(caption, draft, view, tools, tfidf)[0]]
    return [caption for caption, _ in written], rows


def _write(fields: list[Field], graph: Graph, vocabulary: Vocabulary, store: ShardStore, key: str = "k") -> Shard:
    def make(out: ShardWriter) -> None:
        generate_texts(fields, graph, vocabulary, GenerationConfig(), out)

    store.ensure("texts", key, make)
    return store.open("texts", key)


def test_every_style_has_an_operator() -> None:
    assert set(STYLES) == set(OPERATORS)


def test_the_texts_of_a_field_are_the_golden_ones(make_field: MakeField, tools: Tools) -> None:
    # After a change of wording that is meant, write `made` to the file and read the difference.
    captions, rows = _all_texts(make_field(**FULL), tools)
    made = {
        "captions": [[c.level, c.scale, c.phrasing, c.text] for c in captions],
        "perturbations": [[r.operator, r.role, r.text] for r in rows],
    }
    assert made == json.loads(GOLDEN.read_text())


def test_the_full_caption_goes_through_the_levels_in_the_order_of_reasoning(
    make_field: MakeField, tools: Tools
) -> None:
    captions, _ = _all_texts(make_field(**FULL), tools)
    for phrasing in range(2):
        plain = [c for c in captions if c.phrasing == phrasing and '"plain"' in c.provenance.parameters]
        alone = [c.text for c in plain if c.level != "full"]
        assert [c.level for c in plain] == ["site", "architecture", "compartment", "cytology", "impression", "full"]
        assert plain[-1].text == " ".join(alone)


def test_captions_name_the_tile_of_their_scale_and_the_features_that_they_state(
    make_field: MakeField, tools: Tools
) -> None:
    field = make_field(**FULL)
    known = {feature.feature_id: feature for feature in field.features}
    for caption in _all_texts(field, tools)[0]:
        assert caption.tile_id == (field.tile_id(caption.scale) if caption.scale else None)
        if caption.scale:
            assert {known[feature_id].scale for feature_id in caption.feature_ids} == {caption.scale}


@given(values=some_values, organ=st.sampled_from(["colon", "breast", "lung"]))
def test_a_perturbation_changes_its_declared_span_alone_and_is_no_caption_of_its_own_field(
    values: dict[str, str], organ: str, make_field: MakeField, tools: Tools
) -> None:
    captions, rows = _all_texts(make_field(organ=organ, **values), tools)
    text_of = {caption.caption_id: caption.text for caption in captions}
    for row in rows:
        text = text_of[row.caption_id]
        assert text[: row.start] + row.replacement + text[row.end :] == row.text
        assert row.text != text
        assert row.replacement != text[row.start : row.end]
    assert len({(row.caption_id, row.text) for row in rows}) == len(rows)
    assert len({row.perturbation_id for row in rows}) == len(rows)
    assert not {caption.text for caption in captions} & {row.text for row in rows}


def test_every_operator_meets_every_role_and_its_texts_are_captions_of_other_fields(
    sample_fields: Callable[..., list[Field]], tools: Tools
) -> None:
    found: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    possible = set()
    for field in sample_fields(patients=1, each=130):
        captions, rows = _all_texts(field, tools)
        possible |= {caption.text for caption in captions}
        for row in rows:
            found[row.operator, row.role].append(row.text)
    assert set(found) == {(operator, role) for operator, roles in OPERATOR_ROLES.items() for role in roles}
    for pair, texts in found.items():
        share = sum(text in possible for text in texts) / len(texts)
        assert share > 0.3, (pair, share)  # of a small sample; of the demo's 1,300 fields nearly all


def test_falsehood_is_certified_by_an_edge_by_truth_or_not_at_all(make_field: MakeField, tools: Tools) -> None:
    _, known = _all_texts(make_field(**FULL), tools)
    assert {row.certificate.partition(":")[0] for row in known} == {"excludes", "truth"}
    for row in known:
        if row.certificate.startswith("excludes:"):
            assert tools.graph.by_id[row.certificate.partition(":")[2]].modality == "excludes"
    _, reported = _all_texts(make_field(source="report", **FULL), tools)
    by_kind = collections.Counter(row.certificate.partition(":")[0] for row in reported)
    assert set(by_kind) == {"excludes", "unverified"}
    assert all(row.certified_false == (row.certificate != "unverified") for row in reported)
    assert not any(row.hard_negative for row in reported if row.certificate == "unverified")


def test_a_hard_negative_meets_both_bounds_of_the_configuration(
    make_field: MakeField, graph: Graph, vocabulary: Vocabulary
) -> None:
    config = GenerationConfig.model_validate(
        {"constraint": {"min_edit_similarity": 0.8, "min_semantic_similarity": 0.7}}
    )
    _, rows = _all_texts(make_field(**FULL), Tools(graph, vocabulary, config))
    assert {row.hard_negative for row in rows} == {True, False}
    for row in rows:
        close = row.edit_similarity >= 0.8 and row.semantic_similarity >= 0.7
        assert row.hard_negative == (close and row.certified_false)
        assert json.loads(row.provenance.parameters)["min_edit_similarity"] == 0.8


def test_findings_beyond_the_vocabulary_are_replaced_by_siblings_that_nothing_certifies(
    make_field: MakeField, tools: Tools
) -> None:
    finding = Feature(
        "feat_1", "high", "finding/keratin_pearls", "present", "SSG:vesicular_chromatin", source="annotation"
    )
    field = dataclasses.replace(make_field("g", organ="urinary bladder"), features=(finding,))
    captions, rows = _all_texts(field, tools)
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
    for row in _all_texts(field, tools)[1]:
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
        captions, rows = _all_texts(dataclasses.replace(field, field_id=name), tools)
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


def _naive_distance(first: str, second: str) -> int:
    if not first or not second:
        return len(first) + len(second)
    if first[0] == second[0]:
        return _naive_distance(first[1:], second[1:])
    return 1 + min(
        _naive_distance(first[1:], second), _naive_distance(first, second[1:]), _naive_distance(first[1:], second[1:])
    )


@given(st.text("ab", max_size=6), st.text("ab", max_size=6), st.text("abc", max_size=4))
def test_edit_similarity_is_that_of_the_whole_texts(removed: str, inserted: str, around: str) -> None:
    assert edit_distance(removed, inserted) == _naive_distance(removed, inserted)
    before, after = around + removed + around, around + inserted + around
    longest = max(len(before), len(after), 1)
    assert edit_similarity(before, removed, inserted) == 1 - _naive_distance(before, after) / longest


def test_the_cosine_is_that_of_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["solid growth with necrosis", "papillary growth", "solid nests", "growth of solid growth"]
    vectors = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b").fit_transform(texts)  # noqa: S106
    ours = TfIdf(texts)
    for i, first in enumerate(texts):
        for j, second in enumerate(texts):
            assert ours.cosine(first, second) == pytest.approx((vectors[i] @ vectors[j].T).toarray()[0, 0])


def _reader(text: str) -> str:
    return digest(text)  # an arbitrary preference without ties


@pytest.mark.parametrize(("across", "skew"), [(False, 0.0), (True, 0.4)])
def test_on_mirrored_pairs_any_reader_of_text_is_right_exactly_half_of_the_time(
    sample_fields: Callable[..., list[Field]], tools: Tools, across: bool, skew: float
) -> None:
    rows: list[Perturbation] = []
    text_of: dict[str, str] = {}
    for field in sample_fields(patients=4, each=40, skew=skew):
        captions, made = _all_texts(field, tools)
        text_of |= {caption.caption_id: caption.text for caption in captions}
        rows += made
    splits = {"p0": "train", "p1": "train", "p2": "test"}
    kept = set(mirrored(rows, text_of, splits, seed=1, across_patients=across))
    pairs = [row for row in rows if row.perturbation_id in kept]
    assert len(pairs) > 100
    for split in ("train", "test"):
        inside = [row for row in pairs if splits[row.patient_id] == split]
        right = sum(_reader(text_of[row.caption_id]) > _reader(row.text) for row in inside)
        assert right * 2 == len(inside)
    assert all(row.patient_id != "p3" for row in pairs)


def test_mirrored_rows_of_a_slide_are_marked_and_balanced(
    sample_fields: Callable[..., list[Field]], graph: Graph, vocabulary: Vocabulary, store: ShardStore
) -> None:
    fields = sample_fields(patients=1, each=60)
    shard = _write(fields, graph, vocabulary, store)
    text_of = {row.caption_id: row.text for row in shard.records("captions", Caption)}
    marked = [row for row in shard.records("perturbations", Perturbation) if row.mirrored]
    assert len(marked) == shard.info.facts["mirrored"] > 50
    assert all(row.hard_negative for row in marked)
    assert 2 * sum(_reader(text_of[row.caption_id]) > _reader(row.text) for row in marked) == len(marked)


def test_counts_add_up_and_a_field_without_features_is_one_rejection(
    make_field: MakeField, graph: Graph, vocabulary: Vocabulary, store: ShardStore
) -> None:
    empty = dataclasses.replace(make_field("g"), features=())
    shard = _write([make_field(**FULL), empty], graph, vocabulary, store)
    rows = shard.info.rows
    assert shard.info.items_out == rows["captions"] + rows["perturbations"] + rows["reasoning"] > 0
    assert shard.info.rejected["no_features"] == 1


def test_the_same_seed_gives_the_same_bytes_whatever_the_order_of_work(
    sample_fields: Callable[..., list[Field]], graph: Graph, vocabulary: Vocabulary, store: ShardStore
) -> None:
    fields = sample_fields(patients=1, each=12)
    first = _write(fields, graph, vocabulary, store, "one").info.sha256
    assert _write(fields, graph, vocabulary, store, "two").info.sha256 == first
    turned = _write(fields[::-1], graph, vocabulary, store, "three")
    assert {row.caption_id for row in turned.records("captions", Caption)} == {
        row.caption_id for row in store.open("texts", "one").records("captions", Caption)
    }


def test_a_scale_without_a_tile_is_not_spoken_of(make_field: MakeField, tools: Tools) -> None:
    field: Any = dataclasses.replace(make_field(**FULL), high_tile_id=None)
    captions, _ = _all_texts(field, tools)
    assert not any("nucleoli" in c.text.lower() or c.scale == "high" for c in captions)
