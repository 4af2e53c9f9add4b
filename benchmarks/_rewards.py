"""Do the rewards pay for what is right? Denied and swapped findings in the release's own trajectories and captions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from benchmarks._claims import Claim, claim
from training.entity_reward import EntityReward, without_tags
from training.release import Release
from training.rewards import format_reward
from training.trajectory import trajectory_of


def flipped(text: str, entity: EntityReward) -> Iterator[str]:
    """Yield the text with one present finding denied: `no` before it."""
    for link in entity.links(text):
        if link.status == "present" and not re.search(r"\b(?:no|without)\s*$", text[: link.start]):
            yield f"{text[: link.start]}no {text[link.start : link.end]}{text[link.end :]}"


def rewards(release: Path) -> list[Claim]:
    """Count how often the entity reward falls when a finding is denied or swapped, and the form of the samples."""
    source = Release(release)
    entity, sibling = EntityReward.of_release(source), siblings(source)
    rows = source.read("reasoning", "test", ["observe", "think", "answer"]).to_pylist()
    denied, changed, form = list[bool](), list[bool](), list[float]()
    for trajectory in map(trajectory_of, rows):
        form.append(format_reward(trajectory.text()))
        text = without_tags(f"{trajectory.observe}\n{trajectory.answer}")
        denied += [entity(other, text) < 1 for other in flipped(text, entity)]
        changed += [entity(other, text) < 1 for other in swapped(text, entity, sibling)]
    return [
        claim(
            "entity reward falls on a negation flip",
            fmean(denied),
            f"of {len(denied)} flips",
            ">= 0.95",
            fmean(denied) >= 0.95,
        ),
        claim("entity reward falls on a sibling swap", fmean(changed), f"of {len(changed)} swaps", "1.0", all(changed)),
        claim("format reward of the release's samples", fmean(form), f"mean of {len(form)}", "1.0", min(form) == 1.0),
        _captions(source, entity),
    ]


def _captions(source: Release, entity: EntityReward) -> Claim:
    """Return the same for swaps in captions, whose wording the lexicon does not know everywhere."""
    captions = source.read("captions", "test", ["caption_id", "text"]).to_pydict()
    wording = dict(zip(captions["caption_id"], captions["text"], strict=True))
    columns = ["caption_id", "text", "operator", "from_concept", "to_concept"]
    fell = [
        entity(row["text"], wording[row["caption_id"]]) < 1
        for row in source.read("perturbations", "test", columns).to_pylist()
        if row["operator"] == "replace" and row["from_concept"] != row["to_concept"]
    ]
    return claim("the same on captions, free wording", fmean(fell), f"of {len(fell)} swaps", "", True)


def siblings(source: Release) -> dict[str, str]:
    """Return concept -> label of a sibling, as the release's own perturbations replace it."""
    labels = {row["concept_id"]: row["label"] for row in source.lexicon().to_pylist()}
    found: dict[str, str] = {}
    for row in source.read("perturbations", "test", ["operator", "from_concept", "to_concept"]).to_pylist():
        pair = (row["from_concept"], row["to_concept"])
        if row["operator"] == "replace" and all(pair) and pair[0] != pair[1] and pair[1] in labels:
            found.setdefault(pair[0], labels[pair[1]])
    return found


def swapped(text: str, entity: EntityReward, sibling: dict[str, str]) -> Iterator[str]:
    """Yield the text with one concept replaced by the label of its sibling."""
    for link in entity.links(text):
        if link.concept_id in sibling:
            yield f"{text[: link.start]}{sibling[link.concept_id]}{text[link.end :]}"
