"""Whether the linker takes a text to assert, deny or leave open what it mentions."""

from __future__ import annotations

import pytest

from kg.graph import Graph
from kg.lexicon import Lexicon
from kg.link import Linker
from kg.records import Node


def found(linker: Linker, text: str) -> dict[str, str]:
    return {link.surface: link.status for link in linker.link(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No necrosis is seen.", {"necrosis": "absent"}),
        ("Necrosis is absent.", {"Necrosis": "absent"}),
        ("Necrosis is not identified.", {"Necrosis": "absent"}),
        ("Necrosis: not identified.", {"Necrosis": "absent"}),
        ("Necrosis: no.", {"Necrosis": "absent"}),
        ("Necrosis: present.", {"Necrosis": "present"}),
        ("No necrosis; mitotic figures are frequent.", {"necrosis": "absent", "mitotic figures": "present"}),
        ("No necrosis, but ulceration.", {"necrosis": "absent", "ulceration": "present"}),
        ("No necrosis, ulceration or mucin is seen.", dict.fromkeys(("necrosis", "ulceration", "mucin"), "absent")),
        ("No necrosis, ulceration is extensive.", {"necrosis": "absent", "ulceration": "present"}),
        ("Necrosis is absent, and ulceration is present.", {"Necrosis": "absent", "ulceration": "present"}),
        ("Necrosis is seen and ulceration is not identified.", {"Necrosis": "present", "ulceration": "absent"}),
        ("Carcinoma without necrosis, with mucin.", {"Carcinoma": "present", "necrosis": "absent", "mucin": "present"}),
        ("Invasion cannot be excluded.", {"Invasion": "uncertain"}),
        ("Suspicious for invasion.", {"invasion": "uncertain"}),
        ("Possible necrosis. Ulceration is seen.", {"necrosis": "uncertain", "Ulceration": "present"}),
        ("Not only necrosis but also mucin is seen.", {"necrosis": "present", "mucin": "present"}),
        ("No evidence of invasion of the lamina propria.", {"invasion of the lamina propria": "absent"}),
        ("No tumor in the kidney.", {"tumor": "absent", "kidney": "present"}),
        ("The kidney is not involved.", {"kidney": "present"}),
        ("No muscularis propria is seen.", {"muscularis propria": "absent"}),
        ("Muscularis propria is not present.", {"Muscularis propria": "absent"}),
        ("Surgical margins are free of carcinoma.", {"Surgical margins": "present", "carcinoma": "absent"}),
        ("Non-necrotic tumor.", {"necrotic": "absent", "tumor": "present"}),
        ("Family history of melanoma.", {"melanoma": "uncertain"}),
        ("Absent nucleoli and mucin.", {"Absent nucleoli": "present", "mucin": "present"}),
        ("Carcinoma with absent nucleoli.", {"Carcinoma": "present", "absent nucleoli": "present"}),
        ("In the kidney necrosis is not identified.", {"kidney": "present", "necrosis": "absent"}),
        ("Ulceration, if sampled, is absent.", {"Ulceration": "absent"}),
        ("No necrosis, ulceration nor mucin is seen.", dict.fromkeys(("necrosis", "ulceration", "mucin"), "absent")),
        ("Not suspicious for invasion.", {"invasion": "absent"}),
        (
            "No mucin is seen, and the tumor is suspicious for invasion.",
            {"mucin": "absent", "tumor": "present", "invasion": "uncertain"},
        ),
        (
            "No necrosis is seen, and the tumor suggests invasion.",
            {"necrosis": "absent", "tumor": "present", "invasion": "uncertain"},
        ),
        ("Not definitely suspicious for invasion.", {"invasion": "absent"}),
        ("Suspicious for possible invasion.", {"invasion": "uncertain"}),
        ("Vascular and perineural invasion are present.", {"Vascular": "present", "perineural invasion": "present"}),
        (
            "Lymphatic, vascular or perineural invasion is absent.",
            {"Lymphatic": "absent", "vascular": "absent", "perineural invasion": "absent"},
        ),
        ("No necrosis, mucin present.", {"necrosis": "absent", "mucin": "present"}),
        ("No mucin, necrosis focal and deep.", {"mucin": "absent", "necrosis": "present"}),
        ("No necrosis is seen, mucin present.", {"necrosis": "absent", "mucin": "present"}),
        ("No necrosis, mucin or ulceration present.", dict.fromkeys(("necrosis", "mucin", "ulceration"), "absent")),
        ("No necrosis, mucin, ulceration present.", dict.fromkeys(("necrosis", "mucin", "ulceration"), "absent")),
        ("No necrosis, focal ulceration.", {"necrosis": "absent", "ulceration": "absent"}),
        ("Necrosis cannot be identified.", {"Necrosis": "absent"}),
        ("Necrosis could not be demonstrated.", {"Necrosis": "absent"}),
        ("Necrosis isn\u2019t seen.", {"Necrosis": "absent"}),
        ("Necrosis is not a feature.", {"Necrosis": "absent"}),
        ("Necrosis is unlikely.", {"Necrosis": "uncertain"}),
        ("Not seen: necrosis, mucin. Ulceration.", {"necrosis": "absent", "mucin": "absent", "Ulceration": "present"}),
        ("Negative for: necrosis.", {"necrosis": "absent"}),
        ("Accession no: 5, necrosis.", {"necrosis": "present"}),
        ("Necrosis: (-)\nMucin: -\nUlceration: 0%", dict.fromkeys(("Necrosis", "Mucin", "Ulceration"), "absent")),
        ("Necrosis: 0.5 mm. Mucin: (+)", {"Necrosis": "present", "Mucin": "present"}),
        ("Necrosis: Not applicable\nMucin: N/A.", {"Necrosis": "uncertain", "Mucin": "uncertain"}),
        ("Carcinoma, necrosis: absent.", {"Carcinoma": "present", "necrosis": "absent"}),
        ("Melanoma, 1.2 mm thick, ulceration absent.", {"Melanoma": "present", "ulceration": "absent"}),
        ("Carcinoma, invasive, not identified.", {"Carcinoma": "absent", "invasive": "absent"}),
        ("Necrosis, ulceration: absent.", {"Necrosis": "absent", "ulceration": "absent"}),
        ("The carcinoma, in the lung before, is absent.", {"carcinoma": "absent", "lung": "present"}),
        ("Carcinoma ER negative.", {"Carcinoma": "present", "ER": "present"}),
        ("Carcinoma, ER: negative, necrosis absent.", {"Carcinoma": "present", "ER": "present", "necrosis": "absent"}),
        ("ER is not present.", {"ER": "absent"}),
        ("Non-squamous cell carcinoma.", {"carcinoma": "present"}),
    ],
)  # fmt: skip
def test_status_follows_the_clause(linker: Linker, text: str, expected: dict[str, str]) -> None:
    assert list(found(linker, text).items()) == list(expected.items())  # in the order of the text


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("There is no mucin or\nnecrosis.", "absent"),
        ("There is no mucin,\nulceration or necrosis.", "absent"),
        ("Negative for\nNecrosis.", "absent"),
        ("Geographic necrosis is\nnot identified.", "absent"),
        ("no mucin\nor necrosis", "absent"),
        ("No mucin\nNecrosis present", "present"),
        ("No mucin\n\nnecrosis present", "present"),
        ("No mucin\n- necrosis", "present"),
        ("no mucin\nnecrosis", "present"),
        ("Findings:\nno mucin\nnecrosis", "present"),
        ("No mucin\nnecrosis: present", "present"),
    ],
)
def test_a_line_break_ends_a_clause_unless_it_wraps_a_sentence(linker: Linker, text: str, status: str) -> None:
    assert linker.link(text)[-1].status == status


def test_a_word_of_a_name_is_no_trigger_wherever_it_stands_in_it() -> None:
    nodes = [
        Node("X:1", "MorphologicFinding", "sister nodule"),
        Node("X:2", "MorphologicFinding", "nodule of the sister"),
    ]
    linker = Linker(Lexicon.from_graph(Graph([*nodes, Node("X:3", "MorphologicFinding", "necrosis")], [])))
    for name in ("sister nodule", "nodule of the sister"):
        assert found(linker, f"{name} and necrosis") == {name: "present", "necrosis": "present"}
    assert found(linker, "sister with necrosis") == {"necrosis": "uncertain"}


def test_in_a_family_history_nothing_is_said_of_the_patient(linker: Linker) -> None:
    assert [link.status for link in linker.link("Melanoma. No carcinoma.", section="Family History")] == [
        "uncertain"
    ] * 2
