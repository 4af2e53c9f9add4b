"""Repair by pairing: the questions of a cell regrouped so that every option of a set is the key equally often.

The options of one question are exclusive states of a field. Where the cell also holds fields of the other states, the
same question with the same options is asked of those fields instead of their own: k fields, k keys, one text. What a
text-only reader can then know of the key is nothing, whatever its strength (the arithmetic of counterbalanced sets).
Questions without partners leave the cell. No option and no key is invented: each field keeps its statement, its
evidence and its rationale.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from schemas.ids import canonical_json, content_id, digest
from schemas.records import Question
from tasks.screening.repair import NotRepaired, under_its_content

Options = frozenset[tuple[str, str]]
"""Texts of options, each with its concepts."""


def _statements(question: Question) -> list[tuple[str, str]]:
    return list(zip(question.options, question.option_concepts, strict=False))


def _stated(question: Question) -> tuple[str, str]:
    return _statements(question)[question.answer_index]


def _is_stated_by_concepts(question: Question) -> bool:
    concepts = question.option_concepts
    return len(concepts) == len(question.options) and all(concepts) and len(set(concepts)) == len(concepts)


def _blocks(questions: Sequence[Question], part: Sequence[int]) -> list[tuple[Options, list[int]]]:
    """Return blocks (options, one question per option) of questions with one text: richest options first."""
    waiting: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in part:
        waiting[_stated(questions[i])].append(i)
    known = sorted({frozenset(_statements(questions[i])) for i in part}, key=sorted, reverse=True)
    blocks: list[tuple[Options, list[int]]] = []

    def room(options: Options) -> int:
        return min(len(waiting.get(option, ())) for option in options)

    # Room only shrinks, so a candidate whose room was counted before others were served is counted again when it comes.
    heap = [(-room(options), rank) for rank, options in enumerate(known)]
    heapq.heapify(heap)
    while heap and heap[0][0]:
        counted, rank = heap[0]
        left = room(known[rank])
        if left < -counted:
            heapq.heapreplace(heap, (-left, rank))
            continue
        heapq.heappop(heap)
        ordered = sorted(known[rank])
        blocks += [(known[rank], [waiting[option].pop() for option in ordered]) for _ in range(left)]
    return blocks


def _asked(question: Question, order: Sequence[tuple[str, str]], block: int) -> Question:
    options = tuple(text for text, _ in order)
    parameters = canonical_json({"made": question.provenance.parameters, "paired": block})
    asked = replace(
        question,
        options=options,
        option_concepts=tuple(concepts for _, concepts in order),
        answer_index=list(order).index(_stated(question)),
        option_set_id=content_id("set", question.cell, question.question, sorted(options)),
        provenance=replace(question.provenance, parameters=parameters),
    )
    return under_its_content(asked, question)


def pair_questions(questions: Sequence[Question], seed: int) -> list[Question | NotRepaired]:
    """Return questions regrouped into counterbalanced blocks, within each split; those without partners are named.

    Only questions whose options all carry concepts, and questions with the same words, are each other's partners.
    Depends on the questions as a set and on the seed.
    """
    parts: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for i in sorted(range(len(questions)), key=lambda i: questions[i].question_id):
        question = questions[i]
        if _is_stated_by_concepts(question):
            parts[question.split, question.question, len(question.options)].append(i)
    alone = NotRepaired("unbalanced", "no fields of the other options' kinds to ask the same question of")
    paired: list[Question | NotRepaired] = [alone] * len(questions)
    for name, part in sorted(parts.items()):
        rng = np.random.default_rng([seed, int(digest(*name)[:12], 16)])
        rng.shuffle(part)
        for number, (options, members) in enumerate(_blocks(questions, part)):
            order = [sorted(options)[place] for place in rng.permutation(len(options))]
            for i in members:
                paired[i] = _asked(questions[i], order, number)
    return paired
