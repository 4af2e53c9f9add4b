from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError
from training import rewards
from training.entity_reward import EntityReward, dice, without_tags
from training.judge import Judge
from training.release import Release
from training.rewards import (
    accuracy_reward,
    chosen_option,
    compute_score,
    format_reward,
    question_reward,
    reasoning_reward,
    reasoning_score,
)
from training.trajectory import Trajectory, answer_in, parse

GOLD = Trajectory(
    "Low magnification: glandular architecture. High magnification: prominent nucleoli.",
    ("Glandular architecture is found in adenocarcinoma of the colon.", "No geographic necrosis is seen."),
    "adenocarcinoma of the colon",
)
OPTIONS = ["small nuclei", "enlarged nuclei", "A: odd"]
STEP = st.text(st.characters(whitelist_categories=("L", "N"), whitelist_characters=" .,"), min_size=1).filter(
    lambda text: text.strip() and text == text.strip()
)


@pytest.fixture(scope="module")
def entity(reasoned: Path) -> EntityReward:
    return EntityReward.of_release(Release(reasoned))


@given(observe=STEP, think=st.lists(STEP, min_size=1, max_size=5), answer=STEP)
def test_a_written_trajectory_is_read_back_and_has_the_form(observe: str, think: list[str], answer: str) -> None:
    trajectory = Trajectory(observe, tuple(think), answer)
    assert parse(trajectory.text()) == trajectory
    assert format_reward(trajectory.text()) == 1.0
    assert answer_in(trajectory.text()) == answer


@given(think=st.lists(STEP, min_size=1, max_size=6), data=st.data())
def test_given_and_learnt_steps_join_to_the_whole(think: list[str], data: st.DataObject) -> None:
    trajectory = Trajectory("seen", tuple(think), "answer")
    given_steps = data.draw(st.integers(0, len(think) - 1))
    head, tail = trajectory.split(given_steps)
    assert head + tail == trajectory.text()
    assert tail.endswith("<answer>answer</answer>")
    if given_steps:
        assert head.endswith(f"{think[given_steps - 1]}\n")


def test_all_steps_cannot_be_given() -> None:
    with pytest.raises(ValueError, match="cannot be given"):
        GOLD.split(2)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "adenocarcinoma",
        "<think>a</think>",
        "<answer>a</answer><think>b</think>",
        "<think>a</think><answer></answer>",
        "<think> \n </think><answer>a</answer>",
        "<think>a</think><answer>b</answer> and more",
        "<think>a</think><answer>b</answer><answer>c</answer>",
        "<think>a<think>b</think></think><answer>c</answer>",
        "<think>a<answer>b</answer></think>",
    ],
)
def test_what_lacks_the_form_gets_no_format_reward(broken: str) -> None:
    assert format_reward(broken) == 0.0


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("B", 1), ("b.", 1), ("(b)", 1), ("B. enlarged nuclei", 1), ("Enlarged  Nuclei.", 1), ("A: odd", 2),
        ("B. small nuclei", None), ("D", None), ("E", None), ("nuclei", None), ("A or B", None), ("b", 1), ("a", 0),
    ],
)  # fmt: skip
def test_an_answer_names_an_option_by_letter_or_words(answer: str, place: int | None) -> None:
    assert chosen_option(answer, OPTIONS) == place


def test_words_that_name_two_options_name_none() -> None:
    assert chosen_option("T cell", ["T-cell", "T cell", "B cell"]) is None


def test_a_question_is_worth_its_answer_and_its_form() -> None:
    options, right = ["small nuclei", "enlarged nuclei"], 1
    completions = [
        "<think>large</think><answer>B</answer>",
        "<think>large</think><answer>A</answer>",
        "so <answer>enlarged nuclei</answer>",
        "B",
    ]
    scores = question_reward(completions, [options] * 4, [right] * 4, prompts=None)
    assert scores == pytest.approx([1.0, 0.2, 0.8, 0.0])
    chat = [[{"role": "user", "content": "Which?"}, {"role": "assistant", "content": completions[0]}]]
    assert question_reward(chat, [options], [right]) == pytest.approx([1.0])


def test_two_answers_count_as_the_last() -> None:
    assert accuracy_reward("<answer>A</answer> no, <answer>B</answer>", ["x", "y"], 1) == 1.0


PAIRS = st.frozensets(st.tuples(st.sampled_from("abcd"), st.sampled_from(["present", "absent"])))


@given(first=PAIRS, second=PAIRS)
def test_dice_is_symmetric_between_0_and_1_and_1_only_for_equal_sets(
    first: frozenset[tuple[str, str]], second: frozenset[tuple[str, str]]
) -> None:
    assert dice(first, second) == dice(second, first)
    assert 0 <= dice(first, second) <= 1
    assert (dice(first, second) == 1) == (first == second)
    if first | second:
        assert dice(first, second) * (len(first) + len(second)) == pytest.approx(2 * len(first & second))


def test_each_tag_and_each_line_ends_a_sentence_once() -> None:
    assert without_tags("<think>No necrosis\nMucin!</think><answer>is seen.</answer>") == "No necrosis. Mucin! is seen."


def test_a_flipped_negation_costs(entity: EntityReward) -> None:
    reference = GOLD.text()
    assert entity(reference, reference) == 1.0
    flipped = reference.replace("No geographic necrosis", "Geographic necrosis")
    assert 0 < entity(flipped, reference) < 1
    denied = reference.replace("prominent nucleoli", "no prominent nucleoli")
    assert 0 < entity(denied, reference) < 1


def test_a_sibling_in_place_of_a_finding_costs(entity: EntityReward) -> None:
    swapped = (
        GOLD.text().replace("lar architecture. High", "lar architecture. High").replace("prominent", "inconspicuous")
    )
    assert entity(swapped, GOLD.text()) < 1


def test_texts_without_concepts_agree_and_silence_about_findings_does_not(entity: EntityReward) -> None:
    assert entity("hm", "well") == 1.0
    assert entity("hm", GOLD.text()) == 0.0


def test_a_reasoning_score_weighs_form_judge_and_entities(entity: EntityReward) -> None:
    gold = GOLD.text()
    assert reasoning_score(gold, gold, entity) == pytest.approx(1.0)
    untagged = " ".join(GOLD.think)
    assert reasoning_score(untagged, gold, entity) == pytest.approx(0.5 * entity(untagged, gold) / 1.5)
    assert reasoning_score(gold, gold, entity, semantic=0.5) == pytest.approx(2.0 / 2.5)
    reward = reasoning_reward(entity)
    assert reward([gold, "no"], reference=[gold, gold], prompts=["", ""]) == pytest.approx([1.0, 0.0])
    heavy = reasoning_reward(entity, judge=Judge(lambda prompts: ["5"] * len(prompts)), alpha=2.0)
    told = entity(untagged, gold)
    assert heavy([untagged, gold], reference=[gold, gold]) == pytest.approx([(2 * told + 0.5) / 4, 3.5 / 4])


def test_verl_gets_the_same_scores(reasoned: Path) -> None:
    right = "<think>a</think><answer>y</answer>"
    assert compute_score("questions", right, 1, {"options": ["x", "y"]}) == pytest.approx(1.0)
    extra = {"release": str(reasoned)}
    assert compute_score("reasoning", GOLD.text(), GOLD.text(), extra) == pytest.approx(1.0)
    with pytest.raises(InputError, match="no reward for data source"):
        compute_score("questions", right, 1)


def test_verl_can_load_the_rewards_from_their_file() -> None:
    """As its `custom_reward_function.path` and `name` do: a file, under a name of its own, and a function in it."""
    spec = importlib.util.spec_from_file_location("custom_module", str(rewards.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scored = module.compute_score(
        data_source="questions", solution_str="<answer>y</answer>", ground_truth=1, extra_info={"options": ["x", "y"]}
    )
    assert scored == pytest.approx(0.8)


def test_a_release_without_a_lexicon_gives_one_clear_error(miniature: Path) -> None:
    with pytest.raises(InputError, match=r"no lexicon\.parquet"):
        EntityReward.of_release(Release(miniature))
