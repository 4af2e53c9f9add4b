"""Keep counterbalanced option sets exact when single questions leave: their siblings go too, each with a reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence, Set

from schemas.records import Question, Rejection
from schemas.rejection import Stage

SetKey = tuple[str, str]
"""An option set within a split."""


def unbalanced_sets(questions: Sequence[Question]) -> set[SetKey]:
    """Return the sets in which some text, in one order of its options, has an option that is the key more often."""
    return {option_set for option_set, text in _texts(questions) if len(set(_by_place(text))) > 1}


def restore_balance(
    after: Sequence[Question], came_unbalanced: Set[SetKey], stage: Stage
) -> tuple[list[Question], list[Rejection]]:
    """Return the questions that keep every set balanced that came balanced, and those that had to go.

    A text that lost a question would give the rarer keys away. Of every more frequent key the last questions go, until
    each option is again the key equally often, for each text and each order of its options: what a reader sees.

    Args:
        after: the questions that are left, in order.
        came_unbalanced: sets that were so before any question left: they are left alone.
        stage: stage that rejects.
    """
    spare: set[str] = set()
    for option_set, text in _texts(after):
        if option_set not in came_unbalanced:
            least, seen = min(_by_place(text)), Counter[int]()
            for question in text:
                seen[question.answer_index] += 1
                if seen[question.answer_index] > least:
                    spare.add(question.question_id)
    kept = [question for question in after if question.question_id not in spare]
    rejections = [
        Rejection(question.question_id, stage, "unbalanced", "its option set lost questions with the other keys")
        for question in after
        if question.question_id in spare
    ]
    return kept, rejections


def _texts(questions: Sequence[Question]) -> list[tuple[SetKey, list[Question]]]:
    """Return the questions of counterbalanced sets by set, those together that read the same."""
    texts: dict[tuple[SetKey, str, tuple[str, ...]], list[Question]] = defaultdict(list)
    for question in questions:
        if question.option_set_id is not None:
            key = question.option_set_id, question.split
            texts[key, question.question, question.options].append(question)
    return [(key, text) for (key, _, _), text in texts.items()]


def _by_place(text: Sequence[Question]) -> list[int]:
    """Return how often each option of a text is the key."""
    counts = Counter(question.answer_index for question in text)
    return [counts[place] for place in range(len(text[0].options))]
