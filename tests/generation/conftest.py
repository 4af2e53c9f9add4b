from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.scripted_endpoint import Body, Said, ScriptedEndpoint
from demo.scripted_writer import write
from kg.build import build_graph
from kg.graph import Graph
from kg.link import Lexicon, Linker
from kg.sources import starter_source
from kg.vocabulary import Vocabulary, load_vocabulary
from schemas.ids import content_id
from schemas.records import Caption, Feature, Field, Perturbation, Question, Slide
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.generation.captions import write_captions
from tasks.generation.config import FeaturesConfig, GenerationConfig
from tasks.generation.features import Evidence, attach_features
from tasks.generation.perturbations import perturb
from tasks.generation.questions import write_questions
from tasks.generation.similarity import TfIdf
from tasks.generation.view import FieldView, Tools
from tasks.generation.writer import Writer
from tasks.store import ShardStore, ShardWriter
from tests.generation.balanced import SPLITS
from tests.generation.scripted_run import Change, Run, Start

MakeField = Callable[..., Field]

SampleFields = Callable[..., list[Field]]
Boxes = dict[str, tuple[float, float, float, float]]
Places = tuple[list[Field], Boxes]
TFIDF = TfIdf([])  # document frequencies are of no matter to most tests


def all_texts(field: Field, tools: Tools, tfidf: TfIdf = TFIDF) -> tuple[list[Caption], list[Perturbation]]:
    """Return the captions and perturbations that the rules write of one field."""
    view = FieldView(field)
    written, _ = write_captions(view, tools)
    rows = [row for caption, draft in written for row in perturb(caption, draft, view, tools, tfidf)[0]]
    return [caption for caption, _ in written], rows


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


@pytest.fixture(scope="session")
def ask(graph: Graph, vocabulary: Vocabulary) -> Callable[..., tuple[list[Question], list[Any]]]:
    def run(fields: list[Field], splits: dict[str, str] = SPLITS, **config: Any) -> tuple[list[Question], list[Any]]:
        return write_questions(fields, splits, graph, vocabulary, GenerationConfig.model_validate(config))

    return run


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


@pytest.fixture
def fields(make_field: MakeField) -> list[Field]:
    """Two fields of one slide that differ in two values."""
    common = {"stroma": "myxoid", "inflammation": "dense", "inflammation_site": "stromal", "grade": "low"}
    rare = make_field("one", architecture="papillary", mitoses="rare", nucleoli="prominent", **common)
    many = make_field("two", architecture="solid", mitoses="frequent", nucleoli="prominent", **common)
    return [rare, many]


@pytest.fixture
def start(tmp_path: Path, graph: Graph, vocabulary: Vocabulary, linker: Linker) -> Start:
    """A run whose model answers as the scripted writer does, changed by `change(form, answer)`."""

    @contextmanager
    def run(change: Change | None = None, folder: str = "endpoint", **config: Any) -> Iterator[Run]:
        def model(body: Body) -> Said:
            said = write(body)
            form = body["response_format"]["json_schema"]["name"]
            return Said(json.dumps(change(form, json.loads(said.text)))) if change else said

        with ScriptedEndpoint(model) as server:
            reached = EndpointConfig(base_url=server.url, model="scripted", backoff_s=0.01)
            settings = GenerationConfig.model_validate({"generator": "openai", "endpoint": reached, **config})
            endpoint = Endpoint(reached, tmp_path / folder)
            yield Run(server, endpoint, Writer(endpoint, linker), Tools(graph, vocabulary, settings))

    return run


@pytest.fixture
def places() -> Places:
    """One field in the middle of 1,000 px: low 400, mid 100, high 20 px wide."""
    field = Field("field_1", "slide_breast", "p1", 500, 500, "low", "mid", "high", "breast")
    return [field], {"low": (300, 300, 400, 400), "mid": (450, 450, 100, 100), "high": (490, 490, 20, 20)}


@pytest.fixture
def attach(places: Places, slide: Slide, vocabulary: Vocabulary) -> Callable[..., dict[str, str]]:
    """attribute -> value for the one field, with the rejections under `!`."""

    def run(*, config: FeaturesConfig | None = None, **sources: Any) -> dict[str, str]:
        fields, boxes = places
        featured, rejections = attach_features(
            fields, slide, boxes, config or FeaturesConfig(), vocabulary, Evidence(**sources)
        )
        held = {
            f"{f.attribute}{'' if f.polarity == 'present' else '/' + f.polarity}": f.value for f in featured[0].features
        }
        return held | {"!": " ".join(sorted(row.reason for row in rejections))}

    return run


def region(x: float, y: float, width: float, height: float, **metadata: str) -> dict[str, Any]:
    ring = [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]]
    return {"geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"metadata": metadata}}


def geojson(path: Path, *regions: dict[str, Any]) -> Path:
    features = [{"type": "Feature", **region} for region in regions]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path
