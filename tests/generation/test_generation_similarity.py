"""How alike two texts are, and pairs that no reader of text can tell apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.graph import Graph
from kg.vocabulary import Vocabulary
from schemas.ids import digest
from schemas.records import Caption, Field, Perturbation
from tasks.generation.config import GenerationConfig
from tasks.generation.mirror import mirrored
from tasks.generation.similarity import TfIdf, edit_distance, edit_similarity
from tasks.generation.texts import generate_texts
from tasks.generation.view import Tools
from tasks.store import Shard, ShardStore, ShardWriter
from tests.generation.conftest import all_texts


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


def test_a_caption_that_stands_twice_weighs_once_and_texts_without_words_are_alike_only_when_equal() -> None:
    texts = ["solid growth with necrosis", "papillary growth", "solid nests"]
    assert TfIdf([*texts, texts[0]]).cosine(texts[0], texts[2]) == TfIdf(texts).cosine(texts[0], texts[2])
    assert [TfIdf(texts).cosine("?", other) for other in ("?", "!", "solid nests")] == [1.0, 0.0, 0.0]


def _write(fields: list[Field], graph: Graph, vocabulary: Vocabulary, store: ShardStore, key: str = "k") -> Shard:
    def make(out: ShardWriter) -> None:
        generate_texts(fields, graph, vocabulary, GenerationConfig(), out)

    store.ensure("texts", key, make)
    return store.open("texts", key)


def _reader(text: str) -> str:
    return digest(text)  # an arbitrary preference without ties


@pytest.mark.parametrize(("across", "skew"), [(False, 0.0), (True, 0.4)])
def test_on_mirrored_pairs_any_reader_of_text_is_right_exactly_half_of_the_time(
    sample_fields: Callable[..., list[Field]], tools: Tools, across: bool, skew: float
) -> None:
    rows: list[Perturbation] = []
    text_of: dict[str, str] = {}
    for field in sample_fields(patients=4, each=40, skew=skew):
        captions, made = all_texts(field, tools)
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
