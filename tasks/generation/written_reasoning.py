"""Reasoning samples in an endpoint's words: the findings, hops and answer of the rules, said and judged by a model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from schemas.ids import canonical_json
from schemas.records import Reasoning, Rejection
from schemas.records.shared import SCALES
from tasks.endpoint.answers import Failure
from tasks.endpoint.client import Endpoint
from tasks.endpoint.requests import Request
from tasks.generation.checked_replies import Judgement, Reasoned, SaysThat
from tasks.generation.claims import Claims
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.prompting import author, messages
from tasks.generation.reasoning_filters import refuse
from tasks.generation.view import FieldView, Tools, provenance

Sample = tuple[FieldView, Reasoning]
_MAX_TOKENS = 900
_JUDGE_TOKENS = 150


def write_reasoning(
    asker: Endpoint, claims: Claims, samples: Sequence[Sample], tools: Tools
) -> tuple[list[Reasoning], list[Rejection]]:
    """Return the samples as the endpoint says them, and those that it could not say without a fault.

    Observation and steps have to claim exactly what those of the rules claim. What comes back meets the same filters as
    every sample, and the judge where the configuration asks for one.
    """
    requests = [_request(view, sample, tools, claims) for view, sample in samples]
    said: list[Sample] = []
    rejections: list[Rejection] = []
    for (view, sample), outcome in zip(samples, asker.ask(requests), strict=True):
        if isinstance(outcome, Failure):
            rejections.append(dataclasses.replace(outcome.rejection(), item_id=sample.sample_id))
        elif isinstance(outcome.value, Reasoned):
            steps = zip(sample.think, outcome.value.steps, strict=True)
            written = dataclasses.replace(
                sample,
                observe=outcome.value.observe,
                think=tuple(dataclasses.replace(step, text=text) for step, text in steps),
                provenance=provenance(None, (("max_hops", tools.config.max_hops),), author("reasoning", outcome)),
            )
            fault = refuse(written, view, tools)
            if fault:
                rejections.append(Rejection(sample.sample_id, "generation", *fault))
            else:
                said.append((view, written))
    if tools.config.judge_min_score is None:
        return [sample for _, sample in said], rejections
    kept, refused = _judge(asker, [sample for _, sample in said], tools.config.judge_min_score)
    return kept, rejections + refused


def _request(view: FieldView, sample: Reasoning, tools: Tools, claims: Claims) -> Request:
    shown = [feature for feature in view.present.values() if feature.attribute != DIAGNOSIS]
    findings = [tools.say(item.concept_id) for scale in SCALES for item in shown if item.scale == scale]
    steps = [SaysThat(claims, step.text, [tools.say(concept) for concept in step.concept_ids]) for step in sample.think]
    context = {"observe": SaysThat(claims, sample.observe, findings), "steps": steps}
    slots = {"organ": view.field.organ, "observe": sample.observe, "steps": [step.text for step in sample.think]}
    said = messages("reasoning", slots)
    return Request(sample.sample_id, "generation", said, Reasoned, context, _MAX_TOKENS)


def _judge(asker: Endpoint, samples: Sequence[Reasoning], least: int) -> tuple[list[Reasoning], list[Rejection]]:
    """Return the samples that the judge gives at least a score, with the score, and those that it does not."""
    kept: list[Reasoning] = []
    rejections = []
    for sample, outcome in zip(samples, asker.ask([_judged(sample) for sample in samples]), strict=True):
        if isinstance(outcome, Failure):
            rejections.append(dataclasses.replace(outcome.rejection(), item_id=sample.sample_id))
        elif isinstance(outcome.value, Judgement):
            score = min(outcome.value.faithful, outcome.value.logical)
            if score < least:
                detail = f"score {score} of 5: {outcome.value.fault[:160]}"
                rejections.append(Rejection(sample.sample_id, "generation", "judged_poor", detail))
                continue
            known = {**json.loads(sample.provenance.parameters), "judge": score}
            made_by = dataclasses.replace(sample.provenance, parameters=canonical_json(known))
            kept.append(dataclasses.replace(sample, provenance=made_by))
    return kept, rejections


def _judged(sample: Reasoning) -> Request:
    steps = [step.text for step in sample.think]
    said = messages("judge", {"observe": sample.observe, "steps": steps, "answer": sample.answer})
    return Request(sample.sample_id, "generation", said, Judgement, max_tokens=_JUDGE_TOKENS)
