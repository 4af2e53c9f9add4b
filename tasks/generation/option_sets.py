"""Option sets, made without looking at any key: siblings of one attribute, contrasts of two, half fractions of three.

A set is a question and k options that together stand for k exclusive states of a field. Used on fields of all k states
equally often, its text tells nothing of the key (`balance.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product

from schemas.ids import content_id
from schemas.records.shared import Scale
from tasks.generation.facts import Verdict
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.grammar import render
from tasks.generation.question_plan import Axis, QuestionTemplate, load_plan, scales_of
from tasks.generation.view import Tools

Reading = tuple[str, str, str]
"""Attribute, value, concept."""
State = tuple[Reading, ...]
"""One reading per axis."""
K = 4


@dataclass(frozen=True, slots=True)
class OptionSet:
    """A question with its options and the state of a field that makes each of them right.

    Attributes:
        set_id: content id of everything that a reader sees.
        states: per option the readings that it states, one per axis.
        given: (`organ`, name) that the question is limited to, or None.
        verdicts: per option what each axis says to the claim; empty without a claim.
    """

    set_id: str
    template: QuestionTemplate
    question: str
    options: tuple[str, ...]
    states: tuple[State, ...]
    scales: tuple[Scale, ...]
    given: tuple[str, str] | None = None
    claim: str | None = None
    verdicts: tuple[tuple[Verdict, ...], ...] = ()

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes of the axes."""
        return tuple(attribute for attribute, _, _ in self.states[0])

    @property
    def conditions(self) -> tuple[str, ...]:
        """Attributes that decide whether and with which key the set fits a field."""
        return self.attributes + ((self.given[0],) if self.given else ())

    @property
    def wanted(self) -> list[tuple[str, ...]]:
        """Per option the values of `conditions` for which it is right."""
        tail = (self.given[1],) if self.given else ()
        return [(*(value for _, value, _ in state), *tail) for state in self.states]

    def concepts(self, option: int) -> str:
        """Return the CURIEs of an option, joined by `+`."""
        return "+".join(concept for _, _, concept in self.states[option])


def option_sets(template: QuestionTemplate, organs: Iterable[str | None], tools: Tools) -> list[OptionSet]:
    """Return every option set of a template for which a wording with options of similar length is found."""
    found: dict[str, OptionSet] = {}
    for states in _states(template, sorted({organ for organ in organs if organ}), tools):
        for given, claim in _claims(template, states, tools):
            made = worded(template, states, given, claim, tools)
            if made is not None:
                found[made.set_id] = made
    return list(found.values())


def _states(template: QuestionTemplate, organs: list[str], tools: Tools) -> Iterator[tuple[State, ...]]:
    if template.build == "siblings":
        for group in _groups(template.axes[0], organs, tools):
            yield from (tuple((reading,) for reading in four) for four in combinations(group, K))
        return
    pairs = [
        [pair for group in _groups(axis, organs, tools) for pair in combinations(group, 2)] for axis in template.axes
    ]
    for axes in product(*pairs):
        if len({pair[0][0] for pair in axes}) < len(axes):
            continue  # two axes of one attribute
        if template.build == "half_fraction":
            for parity in (0, 1):
                corners = [bits for bits in product((0, 1), repeat=3) if sum(bits) % 2 == parity]
                yield tuple(tuple(pair[bit] for pair, bit in zip(axes, bits, strict=True)) for bits in corners)
        else:
            yield tuple(product(*axes))


def _groups(axis: Axis, organs: list[str], tools: Tools) -> Iterator[list[Reading]]:
    """Yield the values of each attribute of an axis; diagnoses are kept within their organ."""
    for name in axis.names(tools.vocabulary):
        for organ in organs if name == DIAGNOSIS else [None]:
            yield [(name, value, concept) for value, concept in tools.values.of(name, organ).items()]


def _claims(
    template: QuestionTemplate, states: tuple[State, ...], tools: Tools
) -> Iterator[tuple[tuple[str, str] | None, str | None]]:
    claim = template.claim
    if claim is None:
        yield None, None
    elif claim.concept is not None:
        yield from [(None, claim.concept)] if _is_judged(claim.concept, claim.judges, states, tools) else []
    elif claim.attribute == DIAGNOSIS:
        for organ in sorted(tools.vocabulary.diagnoses):
            for concept in tools.values.of(DIAGNOSIS, organ).values():
                if _is_judged(concept, claim.judges, states, tools):
                    yield ("organ", organ), concept


def _is_judged(claim: str, judges: tuple[int, ...], states: tuple[State, ...], tools: Tools) -> bool:
    """Return whether the values of every judging axis differ in what they say to the claim."""
    return all(len({tools.facts.stance(claim, state[axis][2]).verdict for state in states}) > 1 for axis in judges)


def worded(
    template: QuestionTemplate,
    states: tuple[State, ...],
    given: tuple[str, str] | None,
    claim: str | None,
    tools: Tools,
) -> OptionSet | None:
    """Return the set in the first wording, from a seeded place on, whose options agree in length."""
    chance = tools.choice("wording", template.name, claim or "", *(c for state in states for _, _, c in state))
    said_claim = tools.say(claim) if claim else ""
    question = render(chance.choice(template.questions), {"claim": said_claim})
    stances = [[tools.facts.stance(claim, c).verdict for _, _, c in state] if claim else [] for state in states]
    first = chance.randrange(len(template.options))
    for wording in template.options[first:] + template.options[:first]:
        options = tuple(
            render(wording, slots_of(template, state, stance, said_claim, tools))
            for state, stance in zip(states, stances, strict=True)
        )
        lengths = [len(option) for option in options]
        if len(set(options)) == len(options) and max(lengths) <= tools.config.max_length_ratio * min(lengths):
            attributes = [attribute for attribute, _, _ in states[0]]
            return OptionSet(
                set_id=content_id("set", template.name, question, options),
                template=template,
                question=question,
                options=options,
                states=states,
                scales=scales_of(attributes, tools.vocabulary),
                given=given,
                claim=claim,
                verdicts=tuple(map(tuple, stances)) if claim else (),
            )
    return None


def slots_of(
    template: QuestionTemplate, state: State, stance: Iterable[Verdict], claim: str, tools: Tools
) -> dict[str, str]:
    """Return what the texts of a template may name: phrases, verdicts and the claim."""
    said = [tools.say(concept, template.surface) for _, _, concept in state]
    verdicts = [load_plan().verdicts[verdict] for verdict in stance]
    slots = dict(zip("abc", said, strict=False)) | {"claim": claim}
    return slots | {f"v{axis}": verdict for axis, verdict in zip("abc", verdicts, strict=False)}
