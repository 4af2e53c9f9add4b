"""The plan of a run: the key of every shard, known before any work is done.

A shard's key is a digest of its inputs' keys, its configuration section and its code, so the whole plan follows from
the slides' bytes, the files beside them, the configuration and the source. What is in the store already is skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.config import RunConfig
from kg.sources import register
from schemas.records import Rejection
from tasks.bucket_shards import BucketShardStore
from tasks.digests import remembered_sha256
from tasks.generation.report_files import names_patients
from tasks.releases.config import NEXT
from tasks.screening.causal_model import model_fingerprint
from tasks.settings import code_version
from tasks.splits import assign_splits, read_splits
from tasks.store import ShardStore, shard_key
from tasks.tiling.manifest import SlideSource, read_sources

_SHARED_CODE = ("schemas", "tasks/store.py", "tasks/settings.py")
_TILING = ("tasks/tiling", "tasks/annotation_files.py")
_WRITING = ("tasks/generation", "tasks/annotation_files.py", "tasks/endpoint", "kg")
RELEASED = "released.json"
_PATH_KEYS = {"slides", "manifest", "reports", "captions", "decisions", "splits", "out", "shards", "releases"}
_OF_NO_ROW = {"review": {"page_url"}, "release": {"workers"}}


@dataclass(frozen=True)
class Plan:
    """The keys of a run's shards, by stage; `sources` are the slides that can be read, in manifest order."""

    config: RunConfig
    sources: tuple[SlideSource, ...]
    rejected: tuple[Rejection, ...]

    @cached_property
    def store(self) -> ShardStore:
        """The shard store of the run."""
        root = self.config.out / "work"
        return BucketShardStore(root, self.config.shards) if self.config.shards else ShardStore(root)

    @property
    def release_store(self) -> Path | str:
        """The folder, or the address, that holds releases."""
        return self.config.releases or self.config.out / "store"

    @property
    def noted(self) -> dict[str, str]:
        """What was last published from the run's folder as a version of its dataset; empty where nothing was."""
        try:
            noted: dict[str, str] = json.loads((self.config.out / RELEASED).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return noted if noted.get("dataset") == self.config.release.dataset else {}

    @property
    def version(self) -> str | None:
        """The run's version; where the configuration says `next`, the one published last, if there is one."""
        chosen = self.config.release.version
        return chosen if chosen != NEXT else self.noted.get("version")

    @property
    def endpoint_folder(self) -> Path:
        """The folder of an endpoint's answers and ledger."""
        return self.store.root / "endpoint"

    @property
    def endpoint_folders(self) -> list[Path]:
        """Every folder of answers and ledgers: screening's endpoint may have its own."""
        own = self.config.screening.endpoint.folder if self.config.screening.endpoint else None
        return [self.endpoint_folder, *([own] if own and own != self.endpoint_folder else [])]

    @property
    def decisions_file(self) -> Path:
        """The review events that annotators left; may not exist."""
        return self.config.decisions or self.config.out / "review" / "decisions.jsonl"

    def _key(self, stage: str, inputs: Any, config: Any, *code: str) -> str:
        return shard_key(stage, inputs=inputs, config=config, code=code_version(*_SHARED_CODE, *code))

    def _file(self, path: Path) -> str | None:
        return remembered_sha256(path, _digests(self.config)) if path.is_file() else None

    @property
    def _writing(self) -> dict[str, Any]:
        return self.config.generation.portable()

    def _dump(self, section: str) -> Any:
        return getattr(self.config, section).model_dump(mode="json", exclude=_OF_NO_ROW.get(section))

    @cached_property
    def slides(self) -> str:
        """Key of the inventory of slides."""
        rejected = [(row.item_id, row.reason, row.detail) for row in self.rejected]
        return self._key("slides", [[_identity(source) for source in self.sources], rejected], {}, "tasks/tiling")

    @cached_property
    def tiling(self) -> tuple[str, ...]:
        """Keys of the tiling shards, one a slide."""
        section = self._dump("tiling")
        annotated = self.config.tiling.centres.kind == "annotations"
        return tuple(
            self._key("tiling", [_identity(source), _annotations(source) if annotated else None], section, *_TILING)
            for source in self.sources
        )

    @cached_property
    def graph(self) -> str:
        """Key of the knowledge graph: the bytes of the named ontologies count, not where they lie."""
        graph = self.config.graph
        known = register()
        files = [graph.sources_dir / known[name].file for name in graph.sources if graph.sources_dir and name in known]
        inputs = [(path.name, self._file(path)) for path in files]
        return self._key("graph", inputs, list(graph.sources), "kg")

    @cached_property
    def reports(self) -> str:
        """Key of the linked reports."""
        return self._key("reports", [self._report_inputs, self.graph], {}, "tasks/generation", "kg")

    @cached_property
    def _report_inputs(self) -> list[tuple[str, str, str | None]]:
        files, root = self.report_files()
        return [(path, patient, self._file(root / path)) for path, patient in sorted(files.items())]

    def _reports_of(self, patient: str) -> list[tuple[str, str, str | None]]:
        """Return the files that may hold reports of a patient."""
        return [file for file in self._report_inputs if file[1] == patient or names_patients(file[0])]

    def report_files(self) -> tuple[dict[str, str], Path]:
        """Return the report files (relative path -> patient) and the folder that they are relative to."""
        if self.config.reports is not None:
            reports = self.config.reports.resolve()  # a link of the user's own may lead anywhere
            return {reports.name: ""}, reports.parent
        listed = {source.report: source.patient_id for source in self.sources if source.report}
        root = self.config.manifest.parent if self.config.manifest else self.config.slides
        return listed, root

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Keys of the fields with their features, one a slide."""
        section = self._writing
        looked_at = "endpoint" in self.config.generation.features.sources
        section = {"features": section["features"], "endpoint": section["endpoint"] if looked_at else None}
        captions = self._file(self.config.captions) if self.config.captions else None
        return tuple(
            self._key(
                "features",
                [tiles, self._reports_of(source.patient_id), self.graph, source.annotations_sha256, captions],
                section,
                *_WRITING,
            )
            for source, tiles in zip(self.sources, self.tiling, strict=True)
        )

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Keys of captions, perturbations and reasoning samples, one a slide."""
        section = self._writing
        return tuple(self._key("texts", [key, self.graph], section, *_WRITING) for key in self.features)

    @property
    def splits_file(self) -> Path:
        """The splits of patients that were assigned so far; may not exist."""
        return self.config.splits or self.config.out / "splits.json"

    @cached_property
    def splits(self) -> dict[str, str]:
        """The split of every patient that has slides: as it was, or balanced by slides within organs."""
        slides = Counter(source.patient_id for source in self.sources)
        organs = {source.patient_id: source.organ for source in self.sources}
        shares, seed = self.config.generation.splits.model_dump(), self.config.generation.seed
        known = read_splits(self.splits_file)
        return assign_splits(slides, shares=shares, seed=seed, organ_of_patient=organs, known=known)

    @cached_property
    def questions(self) -> str:
        """Key of the questions of all slides."""
        inputs = [list(self.features), self.graph, self.splits]
        return self._key("questions", inputs, self._writing, *_WRITING)

    @cached_property
    def screening(self) -> str:
        """Key of the screening: the bytes of local language models count, not where they lie."""
        section = self.config.screening
        models = [model_fingerprint(local.model, _digests(self.config)) for local in section.local_models]
        code = ("tasks/screening", "tasks/endpoint", "tasks/rebalance.py", "kg")
        return self._key("screening", [self.questions, models], section.portable(), *code)

    @cached_property
    def queue(self) -> str:
        """Key of the review queue."""
        return self._key("queue", [self.screening, list(self.texts)], self._dump("review"), "tasks/review")

    @cached_property
    def reviewed(self) -> str:
        """Key of what is left after the annotators' decisions."""
        return self._key(
            "reviewed",
            [self.queue, self._file(self.decisions_file)],
            self._dump("review"),
            "tasks/review",
            "tasks/rebalance.py",
        )

    @cached_property
    def release(self) -> str:
        """Key of the release candidate."""
        inputs = [self.slides, self.tiling, self.graph, self.reports, self.features, self.texts, self.reviewed]
        return self._key("release", inputs, self._dump("release"), "tasks/releases")

    @cached_property
    def model(self) -> str:
        """Key of the model that is trained from the run's release."""
        return self.model_of(self.release)

    def model_of(self, release: str) -> str:
        """Return the key of the model that is trained from the release of a key, and from what local weights."""
        training = self.config.training
        weights = self._file(Path(training.pretrained)) if training and training.pretrained else None
        return self._key("model", [release, weights] if weights else release, self.training_section, "training")

    @property
    def training_section(self) -> dict[str, Any]:
        """What decides the model, as plain data; empty where nothing is trained."""
        return self.config.training.portable() if self.config.training else {}

    @cached_property
    def run(self) -> str:
        """Key of the whole run, the report and the link to the annotators' page included."""
        return self._key("run", [self.release, self.model], self.config.review.page_url, "tasks/report", "flows")

    def shards(self) -> Iterator[tuple[str, str]]:
        """Yield (stage, key) of every shard in the order of the line."""
        yield "slides", self.slides
        yield from (("tiling", key) for key in self.tiling)
        yield "graph", self.graph
        yield "reports", self.reports
        yield from (("features", key) for key in self.features)
        yield from (("texts", key) for key in self.texts)
        yield "questions", self.questions
        yield "screening", self.screening
        yield "queue", self.queue
        yield "reviewed", self.reviewed
        if self.config.training:
            yield "model", self.model

    def generated(self) -> Iterator[tuple[str, str]]:
        """Yield (stage, key) of every shard of generation."""
        stages = {"reports", "features", "texts", "questions"}
        yield from (shard for shard in self.shards() if shard[0] in stages)

    def portable_config(self) -> dict[str, Any]:
        """Return what the configuration says of a release's rows, for manifests and lineage: nothing of this host.

        Where and how fast they are made, and what is trained from them, leave them as they are.
        """
        plain = self.config.model_dump(mode="json", exclude={*_PATH_KEYS, "runner", "training"})
        plain |= {section: self._dump(section) for section in _OF_NO_ROW}
        plain["graph"].pop("sources_dir", None)
        plain["generation"] = self._writing
        plain["screening"] = self.config.screening.portable()
        return plain


def make_plan(config: RunConfig) -> Plan:
    """Read the manifest and the slides' digests and return the plan.

    Raises:
        InputError: the slides' folder or the manifest is missing or lacks a column.
    """
    sources, rejected = read_sources(config.slides, manifest=config.manifest, cache=_digests(config))
    return Plan(config, tuple(sources), tuple(rejected))


def _digests(config: RunConfig) -> Path:
    return config.out / "work" / "digests"


def _identity(source: SlideSource) -> list[Any]:
    parts = (source.uri, source.patient_id, source.sha256, source.organ, source.stain, source.licence, source.mpp)
    return [*parts, source.report]


def _annotations(source: SlideSource) -> list[Any]:
    return [source.annotations, source.annotations_sha256]
