"""The plan of questions: templates as data (templates/questions.yaml)."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kg.vocabulary import Vocabulary
from schemas.errors import ConfigError
from schemas.ids import digest
from schemas.records.generation import Dimension
from schemas.records.shared import SCALES, Scale
from tasks.generation.config import GenerationConfig
from tasks.generation.facts import Verdict
from tasks.generation.findings import DIAGNOSIS
from tasks.generation.phrases import read_yaml

Build = Literal["siblings", "contrast", "half_fraction", "composite"]
AXES: dict[Build, tuple[int, ...]] = {"siblings": (1,), "contrast": (2,), "half_fraction": (3,), "composite": (2, 3)}


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Axis(_Closed):
    """Attributes that may stand on one axis of an option set: by name, or all of a scale."""

    attributes: tuple[str, ...] = ()
    scale: Scale | None = None
    without: tuple[str, ...] = Field(default=(), alias="except")

    def names(self, vocabulary: Vocabulary) -> list[str]:
        """Return the attributes of the axis that the vocabulary knows, in its order."""
        if self.attributes:
            return [name for name in self.attributes if name in vocabulary.attributes or name == DIAGNOSIS]
        return [
            name
            for name, attribute in vocabulary.attributes.items()
            if attribute.scale == self.scale and name not in self.without
        ]


class Claim(_Closed):
    """What the question suspects: one concept, or each diagnosis of the field's organ; edges of the graph judge it."""

    attribute: str | None = None
    concept: str | None = None
    judges: tuple[int, ...] = (0, 1)  # axes that must say something to the claim


class QuestionTemplate(_Closed):
    """One recipe for option sets."""

    name: str
    dimension: Dimension
    kind: Literal["fixed", "free"]
    build: Build
    axes: tuple[Axis, ...]
    questions: tuple[str, ...]
    options: tuple[str, ...]
    rationale: str
    surface: int = 0
    claim: Claim | None = None
    generator: Literal["rules", "openai"] | None = None  # None: whoever writes

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of the template."""
        return digest(self.model_dump(mode="json"))


class QuestionPlan(_Closed):
    """The file templates/questions.yaml."""

    version: int
    verdicts: Mapping[Verdict, str]
    templates: tuple[QuestionTemplate, ...]


@functools.cache
def load_plan() -> QuestionPlan:
    """Return the plan of the project.

    Raises:
        ConfigError: two templates share a name, or one has not as many axes as its build needs.
    """
    plan = QuestionPlan.model_validate(read_yaml("questions.yaml"))
    names = [template.name for template in plan.templates]
    for template in plan.templates:
        if names.count(template.name) > 1:
            raise ConfigError(f"two question templates are called {template.name}", remedy="rename one")
        if len(template.axes) not in AXES[template.build]:
            raise ConfigError(f"question template {template.name}: wrong number of axes", remedy="correct the file")
    return plan


def templates_for(config: GenerationConfig) -> list[QuestionTemplate]:
    """Return the templates that a configuration asks for.

    Raises:
        ConfigError: a template is unknown, or none is left for a dimension that is asked for.
    """
    written = (None, config.generator)
    known = {template.name: template for template in load_plan().templates if template.generator in written}
    for name in config.templates or ():
        if name not in known:
            raise ConfigError(
                f"generation.templates names {name!r}, which is no question template of {config.generator}",
                remedy=f"use some of {', '.join(known)}",
            )
    wanted = [known[name] for name in config.templates] if config.templates is not None else list(known.values())
    chosen = [template for template in wanted if template.dimension in config.dimensions]
    for dimension in config.dimensions:
        if all(template.dimension != dimension or template.build == "composite" for template in chosen):
            raise ConfigError(
                f"generation.templates leaves no counterbalanced template for the dimension {dimension}",
                remedy="name one, or leave the dimension out of generation.dimensions",
            )
    return chosen


def scales_of(attributes: Sequence[str], vocabulary: Vocabulary) -> tuple[Scale, ...]:
    """Return the scales at which attributes are seen, from low to high; a diagnosis is read from the low scale."""
    found = {"low" if name == DIAGNOSIS else vocabulary.attributes[name].scale for name in attributes}
    return tuple(scale for scale in SCALES if scale in found)
