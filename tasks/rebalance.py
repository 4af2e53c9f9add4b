"""Keep counterbalanced option sets exact when single questions leave: their siblings go too, each with a reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from schemas.records import Question, Rejection
from schemas.rejection import Stage

SetKey = tuple[str, str]


def _sets(questions: Sequence[Question]) -> dict[SetKey, list[Question]]:
    sets: dict[SetKey, list[Question]] = defaultdict(list)
    for question in questions:
        if question.option_set_id is not None:
            sets[question.option_set_id, question.split].append(question)
    return sets


def _key(question: Question) -> str:
    return question.options[question.answer_index]


def _is_balanced(questions: Sequence[Question]) -> bool:
    counts = Counter(_key(question) for question in questions)
    return len(set(counts.values())) == 1 and set(counts) == set(questions[0].options)


def restore_balance(
    before: Sequence[Question], after: Sequence[Question], stage: Stage
) -> tuple[list[Question], list[Rejection]]:
    """Return the questions that keep every set balanced that was balanced before, and those that had to go.

    A set that lost a question would give the rarer keys away. Of every more frequent key the last questions go, until
    each option is again the key equally often within the split.

    Args:
        before: all questions that came in.
        after: those that are left, in order.
        stage: stage that rejects.
    """
    balanced = {key for key, members in _sets(before).items() if _is_balanced(members)}
    spare: set[str] = set()
    for key, members in _sets(after).items():
        if key not in balanced or _is_balanced(members):
            continue
        by_key: dict[str, list[Question]] = {option: [] for option in members[0].options}
        for question in members:
            by_key[_key(question)].append(question)
        least = min(len(questions) for questions in by_key.values())
        spare.update(question.question_id for questions in by_key.values() for question in questions[least:])
    kept = [question for question in after if question.question_id not in spare]
    rejections = [
        Rejection(question.question_id, stage, "unbalanced", "its option set lost questions with the other keys")
        for question in after
        if question.question_id in spare
    ]
    return kept, rejections
