"""Linking: what is found and what it means; `test_kg_status.py`: whether the text asserts it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.forms import STOP_WORDS, adjectives, fold, forms_of, inflections, words_only
from kg.gold import Labelled, read_marked, read_standoff, score
from kg.graph import Graph
from kg.lexicon import Lexicon
from kg.link import Linker
from kg.match import disjoint
from kg.records import Node, Synonym
from schemas.errors import FileFormatError, GraphError

LABELS = Path(__file__).resolve().parent.parent / "data" / "linking"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("necrotic", "necrosis"),
        ("Pleomorphic nuclei", "nuclear pleomorphism"),
        ("keratin pearl", "keratin pearls"),
        ("surgical margins", "surgical margin"),
        ("lympho-vascular invasion", "lymphovascular invasion"),
        ("lymph-vascular invasion", "lymphovascular invasion"),
        ("signet-ring cells", "signet ring cell"),
        ("tumour budding", "tumour budding"),
        ("tumor budding", "tumour budding"),
        ("metastases", "metastasis"),
        ("epithelia", "epithelium"),
        ("adenomata", "adenoma"),
        ("colonic", "colon"),
        ("CIS", "carcinoma in situ"),
        ("cis", None),
        ("ER", "oestrogen receptor"),
        ("er", None),
        ("TILs", "tumour-infiltrating lymphocytes"),
        ("by-product", None),
        ("product", None),
        ("keratin\npearls", "keratin pearls"),
        ("keratin, pearls", None),
    ],
)
def test_forms_are_found_as_whole_words_in_their_variants(linker: Linker, text: str, label: str | None) -> None:
    assert [link.label for link in linker.link(text)] == ([label] if label else [])


def test_the_longest_name_wins_and_spans_do_not_overlap(linker: Linker) -> None:
    links = linker.link("flat urothelial carcinoma in situ of the urinary bladder")
    assert [link.surface for link in links] == ["urothelial carcinoma in situ", "urinary bladder"]
    assert links[0].concept_id == "SSG:urothelial_carcinoma_in_situ"
    links = linker.link("Tumor and geographic necrosis")
    assert [link.surface for link in links] == ["Tumor", "geographic necrosis"]  # and no "tumor necrosis" besides


@given(st.text(max_size=200))
def test_any_text_gives_ordered_disjoint_spans_that_match_their_surface(linker: Linker, text: str) -> None:
    last = 0
    for link in linker.link(text):
        assert last <= link.start < link.end <= len(text)
        assert text[link.start : link.end] == link.surface
        assert link.concept_id == link.candidates[0]
        last = link.end


@given(st.text(max_size=100))
def test_folding_keeps_every_position(text: str) -> None:
    assert len(fold(text)) == len(text) == len(words_only(fold(text)))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=12))
def test_disjoint_spans_never_overlap_and_keep_the_longest_of_all(raw: list[tuple[int, int]]) -> None:
    spans = sorted({start: (start, start + length, "") for start, length in raw}.values())
    growing = [span for index, span in enumerate(spans) if all(span[1] > other[1] for other in spans[:index])]
    kept = disjoint(growing)
    assert all(one[1] <= other[0] for one, other in pairwise(kept))
    assert not growing or max(s[1] - s[0] for s in growing) == max(s[1] - s[0] for s in kept)


def test_no_link_is_a_stop_word(linker: Linker) -> None:
    text = " ".join(sorted(STOP_WORDS))
    assert [link.surface for link in linker.link(text) if fold(link.surface) in STOP_WORDS] == []


def test_short_forms_are_never_inflected_into_function_words() -> None:
    assert inflections("ins") == set()
    assert inflections("bes") == set()
    assert inflections("nucleus") == {"nuclei"}
    assert inflections("invasion of the lung") == {"invasions of the lung"}
    assert adjectives("dysplasia") == ("dysplastic",)
    assert adjectives("fat") == ()


def test_names_that_state_a_result_are_no_forms() -> None:
    node = Node("X:1", "ClinicalFinding", "HER2 Negative", (Synonym("Absence of HER2"), Synonym("cell type")))
    assert list(forms_of(node)) == []


def test_a_preferred_label_outranks_a_synonym_and_two_labels_stay_ambiguous() -> None:
    one = Node("NCIT:C1", "Neoplasm", "polyp")
    two = Node("MONDO:1", "MorphologicFinding", "Polyp")
    three = Node("DOID:1", "Neoplasm", "adenomatous growth", (Synonym("polyp"),))
    linker = Linker(Lexicon.from_graph(Graph([one, two, three], [])))
    assert linker.link("polyps")[0].candidates == ("NCIT:C1", "MONDO:1")
    assert linker.link("polyp", section="Microscopic description")[0].candidates == ("MONDO:1", "NCIT:C1")
    assert linker.link("polyp", section="Final diagnosis")[0].candidates == ("NCIT:C1", "MONDO:1")


def test_a_section_prefers_its_categories_to_the_exact_form_of_a_label() -> None:
    nodes = [Node("X:1", "Neoplasm", "cysts"), Node("X:2", "MorphologicFinding", "cyst")]
    linker = Linker(Lexicon.from_graph(Graph(nodes, [])))
    assert linker.link("cysts")[0].candidates == ("X:1", "X:2")
    assert linker.link("cysts", section="Microscopic description")[0].candidates == ("X:2", "X:1")


def test_a_lexicon_is_read_back_as_it_was_written_and_byte_identical(starter: Graph, tmp_path: Path) -> None:
    lexicon = Lexicon.from_graph(starter)
    lexicon.save(tmp_path / "a.parquet")
    Lexicon.from_graph(starter).save(tmp_path / "b.parquet")
    assert Lexicon.load(tmp_path / "a.parquet").entries == lexicon.entries
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    with pytest.raises(GraphError, match=r"no lexicon c\.parquet"):
        Lexicon.load(tmp_path / "c.parquet")
    (tmp_path / "d.parquet").write_text("nothing")
    with pytest.raises(GraphError, match="is no lexicon"):
        Lexicon.load(tmp_path / "d.parquet")


def test_the_labels_are_read_as_they_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    path.write_text("# note\ntune\tNo [necrosis]-; [mucin]+ or [ulcer]?.\n")
    (sentence,) = read_marked(path)
    assert sentence.text == "No necrosis; mucin or ulcer."
    assert [(sentence.text[a:b], status) for a, b, status in sentence.mentions] == [
        ("necrosis", "absent"),
        ("mucin", "present"),
        ("ulcer", "uncertain"),
    ]
    path.write_text("tune\tNo\\n[necrosis]-.\n")
    assert read_marked(path)[0].text == "No\nnecrosis."
    path.write_text("No half.\n")
    with pytest.raises(FileFormatError, match=r"s\.tsv line 1"):
        read_marked(path)


def test_scores_count_exact_spans_and_average_the_three_statuses() -> None:
    gold: list[Labelled] = [(0, 3, "present"), (5, 8, "absent")]
    perfect = score([(gold, gold)])
    assert (perfect.span_f1, perfect.status_f1) == (1.0, 1.0)
    half = score([(gold, [(0, 3, "absent"), (5, 9, "absent")])])
    assert half.span_f1 == 0.5
    assert half.status_f1 == 0.0


@pytest.mark.parametrize("half", ["tune", "measure"])
def test_the_starter_graph_alone_links_our_sentences_well(linker: Linker, half: str) -> None:
    chosen = [sentence for sentence in read_marked(LABELS / "sentences.tsv") if sentence.half == half]
    assert len(chosen) >= 100
    scores = score((s.mentions, [(link.start, link.end, link.status) for link in linker.link(s.text)]) for s in chosen)
    assert scores.span_f1 >= 0.85
    assert scores.status_f1 >= 0.9


@pytest.mark.slide
def test_the_measuring_half_with_the_shared_reports_reaches_its_goals(linker: Linker, shared: Path) -> None:
    reports = shared / "text" / "pathreasoner_diagnosis_example.json"
    standoff = read_standoff(LABELS / "shared_reports.tsv", reports)
    assert len(standoff) >= 40
    chosen = [s for s in read_marked(LABELS / "sentences.tsv") + standoff if s.half == "measure"]
    scores = score((s.mentions, [(link.start, link.end, link.status) for link in linker.link(s.text)]) for s in chosen)
    assert scores.span_f1 >= 0.85
    assert scores.status_f1 >= 0.9
