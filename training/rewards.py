"""Rewards for reinforcement learning, usable in TRL (`reward_funcs`) and verl (`compute_score`).

A question is worth 0.8 for the right option and 0.2 for the form. A reasoning sample is worth its form, its meaning (a
judge, optional) and alpha times the concepts that it states with the right status.

References:
    PathoReasoner's rewards: format, semantic and entity. There, entities are found as substrings and a negated entity
    counts as stated; here the project's linker decides, and a flipped negation costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from schemas.errors import InputError
from training.entity_reward import EntityReward
from training.judge import Judge
from training.release import Release
from training.trajectory import answer_in, parse

ACCURACY_WEIGHT, FORMAT_WEIGHT = 0.8, 0.2
ENTITY_ALPHA = 0.5
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Completion = str | Sequence[dict[str, Any]]
"""Text, or a conversation whose last message is the model's."""


def format_reward(completion: str) -> float:
    """Return 1 where a completion has the form of a trajectory, else 0."""
    return float(parse(completion) is not None)


def accuracy_reward(completion: str, options: Sequence[str], answer_index: int) -> float:
    """Return 1 where the completion's answer names the right option, by letter or by its words, else 0."""
    answer = answer_in(completion)
    return float(answer is not None and chosen_option(answer, options) == answer_index)


def chosen_option(answer: str, options: Sequence[str]) -> int | None:
    """Return the option that an answer names: `B`, `(b)`, `B. words`, or the words alone; None where it is unclear."""
    said = _normal(answer)
    by_words = [place for place, option in enumerate(options) if _normal(option) == said]
    if len(by_words) == 1:
        return by_words[0]
    lettered = re.fullmatch(r"\(?([A-Za-z])\)?(?:\s*[.:)]\s*(.*)|)", answer.strip(), flags=re.DOTALL)
    if lettered is None:
        return None
    place = LETTERS.index(lettered[1].upper())
    agrees = not lettered[2] or (place < len(options) and _normal(lettered[2]) == _normal(options[place]))
    return place if place < len(options) and agrees else None


def _normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def reasoning_score(
    completion: str, reference: str, entity: EntityReward, *, semantic: float | None = None, alpha: float = ENTITY_ALPHA
) -> float:
    """Return format + semantic + alpha x entity, divided by the sum of the weights in use, so that 1 is the best.

    Args:
        completion: what the model wrote.
        reference: the trajectory of the release.
        entity: compares what both state.
        semantic: grade of a judge, 0 to 1; None where there is none, and its part is left out.
        alpha: weight of the entities.
    """
    parts = [(1.0, format_reward(completion)), (alpha, entity(completion, reference))]
    if semantic is not None:
        parts.append((1.0, semantic))
    return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)


def question_score(completion: str, options: Sequence[str], answer_index: int) -> float:
    """Return 0.8 x accuracy + 0.2 x format."""
    accuracy = accuracy_reward(completion, options, answer_index)
    return ACCURACY_WEIGHT * accuracy + FORMAT_WEIGHT * format_reward(completion)


def question_reward(
    completions: Sequence[Completion], options: Sequence[Sequence[str]], answer_index: Sequence[int], **_: Any
) -> list[float]:
    """Return the scores of completions to questions; a TRL reward function over the columns of the questions."""
    rows = zip(completions, options, answer_index, strict=True)
    return [question_score(_text(completion), choices, answer) for completion, choices, answer in rows]


def reasoning_reward(
    entity: EntityReward, *, judge: Judge | None = None, alpha: float = ENTITY_ALPHA
) -> Callable[..., list[float]]:
    """Return a TRL reward function over the column `reference`."""

    def reward(completions: Sequence[Completion], reference: Sequence[str], **_: Any) -> list[float]:
        texts = [_text(row) for row in completions]
        grades = judge(texts, reference) if judge else [None] * len(texts)
        rows = zip(texts, reference, grades, strict=True)
        return [reasoning_score(text, gold, entity, semantic=given, alpha=alpha) for text, gold, given in rows]

    reward.__name__ = "reasoning_reward"
    return reward


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: dict[str, Any] | None = None
) -> float:
    """Return the score of one completion; the signature is that of verl's custom reward function.

    Args:
        data_source: `questions` or `reasoning`.
        solution_str: the completion.
        ground_truth: index of the right option, or the reference trajectory.
        extra_info: `options` for questions; for reasoning `release`, the address of the release with the lexicon.

    Raises:
        InputError: another data source, or what it needs is missing.
    """
    extra = extra_info or {}
    if data_source == "questions" and "options" in extra:
        return question_score(solution_str, extra["options"], int(ground_truth))
    if data_source == "reasoning" and "release" in extra:
        return reasoning_score(solution_str, str(ground_truth), _entity_reward(str(extra["release"])))
    raise InputError(
        f"no reward for data source {data_source!r} with {sorted(extra)}",
        remedy="use `questions` with `options`, or `reasoning` with `release`, in extra_info",
    )


_ENTITY_REWARDS: dict[str, EntityReward] = {}


def _entity_reward(address: str) -> EntityReward:
    if address not in _ENTITY_REWARDS:
        _ENTITY_REWARDS[address] = EntityReward.of_release(Release(address))
    return _ENTITY_REWARDS[address]


def _text(completion: Completion) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
