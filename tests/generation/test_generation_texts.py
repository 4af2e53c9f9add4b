"""Captions and perturbations of fields."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kg.graph import Graph
from kg.vocabulary import Vocabulary, load_vocabulary
from schemas.records import Caption, Field
from schemas.records.generation import OPERATOR_ROLES
from tasks.generation.captions import STYLES
from tasks.generation.config import GenerationConfig
from tasks.generation.operators import OPERATORS
from tasks.generation.texts import generate_texts
from tasks.generation.view import Tools
from tasks.store import Shard, ShardStore, ShardWriter
from tests.generation.conftest import all_texts

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


def _write(fields: list[Field], graph: Graph, vocabulary: Vocabulary, store: ShardStore, key: str = "k") -> Shard:
    def make(out: ShardWriter) -> None:
        generate_texts(fields, graph, vocabulary, GenerationConfig(), out)

    store.ensure("texts", key, make)
    return store.open("texts", key)


def test_every_style_has_an_operator() -> None:
    assert set(STYLES) == set(OPERATORS)


def test_the_texts_of_a_field_are_the_golden_ones(make_field: MakeField, tools: Tools) -> None:
    # After a change of wording that is meant, write `made` to the file and read the difference.
    captions, rows = all_texts(make_field(**FULL), tools)
    made = {
        "captions": [[c.level, c.scale, c.phrasing, c.text] for c in captions],
        "perturbations": [[r.operator, r.role, r.text] for r in rows],
    }
    assert made == json.loads(GOLDEN.read_text())


def test_the_full_caption_goes_through_the_levels_in_the_order_of_reasoning(
    make_field: MakeField, tools: Tools
) -> None:
    captions, _ = all_texts(make_field(**FULL), tools)
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
    for caption in all_texts(field, tools)[0]:
        assert caption.tile_id == (field.tile_id(caption.scale) if caption.scale else None)
        if caption.scale:
            assert {known[feature_id].scale for feature_id in caption.feature_ids} == {caption.scale}


@given(values=some_values, organ=st.sampled_from(["colon", "breast", "lung"]))
def test_a_perturbation_changes_its_declared_span_alone_and_is_no_caption_of_its_own_field(
    values: dict[str, str], organ: str, make_field: MakeField, tools: Tools
) -> None:
    captions, rows = all_texts(make_field(organ=organ, **values), tools)
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
        captions, rows = all_texts(field, tools)
        possible |= {caption.text for caption in captions}
        for row in rows:
            found[row.operator, row.role].append(row.text)
    assert set(found) == {(operator, role) for operator, roles in OPERATOR_ROLES.items() for role in roles}
    for pair, texts in found.items():
        share = sum(text in possible for text in texts) / len(texts)
        assert share > 0.3, (pair, share)  # of a small sample; of the demo's 1,300 fields nearly all


def test_falsehood_is_certified_by_an_edge_by_truth_or_not_at_all(make_field: MakeField, tools: Tools) -> None:
    _, known = all_texts(make_field(**FULL), tools)
    assert {row.certificate.partition(":")[0] for row in known} == {"excludes", "truth"}
    for row in known:
        if row.certificate.startswith("excludes:"):
            assert tools.graph.by_id[row.certificate.partition(":")[2]].modality == "excludes"
    _, reported = all_texts(make_field(source="report", **FULL), tools)
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
    _, rows = all_texts(make_field(**FULL), Tools(graph, vocabulary, config))
    assert {row.hard_negative for row in rows} == {True, False}
    for row in rows:
        close = row.edit_similarity >= 0.8 and row.semantic_similarity >= 0.7
        assert row.hard_negative == (close and row.certified_false)
        assert json.loads(row.provenance.parameters)["min_edit_similarity"] == 0.8


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
    captions, _ = all_texts(field, tools)
    assert not any("nucleoli" in c.text.lower() or c.scale == "high" for c in captions)
