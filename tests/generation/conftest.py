from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from kg.build import build_graph
from kg.graph import Graph
from kg.link import Lexicon, Linker
from kg.sources import starter_source
from kg.vocabulary import Vocabulary, load_vocabulary
from schemas.ids import content_id
from schemas.records import Feature, Field, Slide
from tasks.generation.config import GenerationConfig
from tasks.generation.view import Tools
from tasks.store import ShardStore, ShardWriter

SampleFields = Callable[..., list[Field]]


@pytest.fixture(scope="session")
def graph() -> Graph:
    return build_graph([starter_source()]).graph


@pytest.fixture(scope="session")
def linker(graph: Graph) -> Linker:
    return Linker(Lexicon.from_graph(graph))


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="session")
def tools(graph: Graph, vocabulary: Vocabulary) -> Tools:
    return Tools(graph, vocabulary, GenerationConfig())


def _features(field_id: str, organ: str, values: dict[str, str], source: str) -> tuple[Feature, ...]:
    vocabulary = load_vocabulary()
    said = [(name, value, vocabulary.attributes[name].values[value].concept_id) for name, value in values.items()]
    diagnosis = vocabulary.diagnosis(organ, values.get("architecture", ""))
    if diagnosis is not None:
        said.append(("diagnosis", diagnosis.concept_id.partition(":")[2], diagnosis.concept_id))
    return tuple(
        Feature(
            feature_id=content_id("feat", field_id, name),
            scale=vocabulary.attributes[name].scale if name in vocabulary.attributes else "low",
            attribute=name,
            value=value,
            concept_id=concept,
            source=source,
        )
        for name, value, concept in said
    )


@pytest.fixture(scope="session")
def make_field() -> Callable[..., Field]:
    """A field with the given attribute values, at all three scales."""

    def make(name: str = "f", organ: str = "breast", source: str = "annotation", **values: str) -> Field:
        field_id = content_id("field", name)
        tiles = (f"tile_{name}_low", f"tile_{name}_mid", f"tile_{name}_high")
        return Field(field_id, f"slide_{organ}", "p1", 5, 5, *tiles, organ, _features(field_id, organ, values, source))

    return make


@pytest.fixture(scope="session")
def sample_fields(vocabulary: Vocabulary) -> SampleFields:
    """Fields of several patients whose attributes take random values; deliberately not balanced."""

    def sample(patients: int = 6, each: int = 60, seed: int = 0, skew: float = 0.0) -> list[Field]:
        chance = random.Random(seed)
        fields = []
        organs = ("colon", "breast", "lung")
        for number in range(patients * each):
            patient = number % patients
            organ = organs[patient % len(organs)]
            values = {}
            for name, attribute in vocabulary.attributes.items():
                names = list(attribute.values)[:4]
                values[name] = names[0] if chance.random() < skew else chance.choice(names)
            field_id = content_id("field", seed, number)
            tiles = (f"{field_id}l", f"{field_id}m", f"{field_id}h")
            features = _features(field_id, organ, values, "annotation")
            fields.append(Field(field_id, f"s{patient}", f"p{patient}", 0, 0, *tiles, organ, features))
        return fields

    return sample


@pytest.fixture
def writer(tmp_path: Path) -> ShardWriter:
    return ShardWriter(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(tmp_path / "store")


@pytest.fixture(scope="session")
def slide() -> Slide:
    return Slide(
        slide_id="slide_breast",
        patient_id="p1",
        name="a.svs",
        uri="a.svs",
        sha256="0" * 64,
        vendor="aperio",
        width_px0=10_000,
        height_px0=8_000,
        mpp_x=0.5,
        mpp_y=0.5,
        organ="breast",
    )
