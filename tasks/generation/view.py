"""What the generators share: a field seen by attribute, the tools they write with, and seeded choice."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property

from kg.graph import Graph
from kg.paths import Path, find_paths
from kg.vocabulary import Vocabulary
from schemas.ids import canonical_json
from schemas.records import Feature, Field, Provenance
from schemas.records.generation import CaptionLevel
from tasks.generation.authorship import Author, Wordings
from tasks.generation.config import GenerationConfig
from tasks.generation.facts import Facts
from tasks.generation.neighbours import beside, kin, kinds
from tasks.generation.open_findings import OPEN
from tasks.generation.phrases import Phrases, Values
from tasks.settings import code_version

_SIBLINGS = 6  # of a concept outside the vocabulary
_CELLS = frozenset({"AbnormalCell", "CellType"})  # said in the plural: a field shows many
_PATHS = 8  # looked at per finding and diagnosis: some pass through what the field excludes
_WEAK_SOURCES = frozenset({"report", "endpoint"})  # speak of the case, or may be wrong: no truth of a place


class FieldView:
    """A field with its present features by attribute, in the order of the scales."""

    __slots__ = ("field", "present")

    def __init__(self, field: Field) -> None:
        self.field = field
        self.present = {
            feature.attribute: feature
            for feature in field.features
            if feature.polarity == "present" and field.tile_id(feature.scale) is not None
        }

    def named(self) -> list[Feature]:
        """Return what is denied, and what is asserted outside the closed vocabulary, at the scales that are there."""
        return [
            feature
            for feature in self.field.features
            if self.field.tile_id(feature.scale) is not None
            and (feature.polarity == "absent" or (feature.polarity == "present" and feature.attribute.startswith(OPEN)))
        ]

    def value(self, attribute: str) -> str | None:
        """Return the value that holds (`organ`: the organ), None where nothing is known."""
        if attribute == "organ":
            return self.field.organ
        feature = self.present.get(attribute)
        return feature.value if feature else None

    def values(self, attributes: tuple[str, ...]) -> tuple[str | None, ...]:
        """Return the values that hold of several attributes."""
        return tuple(self.value(attribute) for attribute in attributes)


def trusted(features: tuple[Feature, ...]) -> bool:
    """Return whether all features are known of the place itself, not inferred from a report."""
    return all(feature.source not in _WEAK_SOURCES for feature in features)


@dataclass(frozen=True)
class Tools:
    """Graph, vocabulary, phrases and configuration of one run, and what an endpoint worded for it."""

    graph: Graph
    vocabulary: Vocabulary
    config: GenerationConfig
    wordings: Wordings = field(default_factory=Wordings)

    @cached_property
    def facts(self) -> Facts:
        """Look-ups in the graph."""
        return Facts(self.graph)

    @cached_property
    def phrases(self) -> Phrases:
        """How concepts are said."""
        return Phrases(self.vocabulary)

    @cached_property
    def values(self) -> Values:
        """Values of attributes."""
        return Values(self.vocabulary)

    def level(self, feature: Feature) -> CaptionLevel:
        """Return the caption level that a feature stands in."""
        return self.phrases.level(feature.attribute, feature.scale)

    def say(self, concept_id: str, surface: int = 0) -> str:
        """Return a noun phrase for a concept: of the phrase file, else its label in vocabulary or graph."""
        said = self.phrases.say(concept_id, surface)
        if said is not None:
            return said
        node = self.graph.nodes.get(concept_id)
        if node is None:
            return concept_id
        return f"{node.label}s" if node.category in _CELLS and node.label.endswith(" cell") else node.label

    def others(self, feature: Feature, view: FieldView) -> list[str]:
        """Return the concepts that could stand in a feature's place.

        They are the other values of its attribute. A finding or diagnosis outside the vocabulary has siblings in the
        graph instead, seen at the same scale; those that the graph certifies as excluded come first. What the field
        shows or may show, and what is a kind of that or the other way round, is not among them: it would be true.
        """
        closed = self.values.of(feature.attribute, view.field.organ)
        if feature.value in closed:
            return [concept for value, concept in closed.items() if value != feature.value]
        true = self.may_hold(view)
        return [concept for concept in self._beside(feature.concept_id) if concept not in true][:_SIBLINGS]

    def narrower(self, feature: Feature, view: FieldView) -> list[str]:
        """Return the kinds of a finding outside the vocabulary that nothing else in the field makes true."""
        if not feature.attribute.startswith(OPEN):
            return []
        own = {feature.concept_id, *self.graph.ancestors(feature.concept_id)}
        true = self.may_hold(view, besides=own)
        return [concept for concept in kinds(self.graph, feature.concept_id) if concept not in true]

    def may_hold(self, view: FieldView, *, besides: Collection[str] = ()) -> frozenset[str]:
        """Return the concepts that may be true of a field: what it shows or may show, wider and narrower ones too.

        Args:
            view: the field.
            besides: concepts whose own kin do not count.
        """
        shown = {item.concept_id for item in view.field.features if item.polarity != "absent"}
        return frozenset(kin for concept in shown.difference(besides) for kin in self._kin(concept))

    @cached_property
    def _kin(self) -> Callable[[str], frozenset[str]]:
        return functools.cache(lambda concept: kin(self.graph, concept))

    @cached_property
    def _beside(self) -> Callable[[str], tuple[str, ...]]:
        return functools.cache(lambda concept: beside(self.graph, concept))

    @cached_property
    def _paths(self) -> dict[tuple[str, str], list[Path]]:
        return {}

    def paths(self, finding: str, diagnosis: str) -> list[Path]:
        """Return the graph paths from a finding to a diagnosis, the best first, remembered."""
        key = (finding, diagnosis)
        if key not in self._paths:
            hops = self.config.max_hops
            self._paths[key] = find_paths(self.graph, finding, diagnosis, max_hops=hops, limit=_PATHS)
        return self._paths[key]

    def choice(self, *names: str) -> random.Random:
        """Return a seeded generator of random numbers for one purpose, equal in every run and order of work."""
        return random.Random("/".join((str(self.config.seed), *names)))

    def rank(self, *names: str) -> bytes:
        """Return a seeded place in a random order: that of one thing does not depend on what else is ordered."""
        return hashlib.blake2b("/".join((str(self.config.seed), *names)).encode(), digest_size=8).digest()


@functools.lru_cache(maxsize=4096)
def provenance(
    prompt_sha256: str | None, parameters: tuple[tuple[str, str | int | float], ...], author: Author | None = None
) -> Provenance:
    """Return the provenance of rows that the rules wrote, or that an endpoint worded."""
    return Provenance(
        generator="openai" if author else "rules",
        model=author.model if author else None,
        prompt_sha256=author.prompt_sha256 if author else prompt_sha256,
        parameters=canonical_json(dict(parameters)),
        code_version=code_version("tasks/generation"),
        ledger_id=author.ledger_id if author else None,
    )
