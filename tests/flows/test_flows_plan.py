"""The plan's keys follow content: what changed is done again, what only moved is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flows.candidate import split_of_every_patient
from flows.config import GraphConfig, RunConfig, RunnerConfig
from flows.plan import Plan, make_plan
from kg.sources import register
from schemas.records import Report
from tasks.releases.config import ReleaseConfig
from tasks.review.config import ReviewConfig
from tasks.screening.config import ScreeningConfig
from tasks.splits import add_splits
from tasks.store import ShardWriter
from tasks.tiling.config import AnnotatedCentres, TilingConfig
from training.config import TrainingConfig


@pytest.fixture
def config(inputs: Path, tmp_path: Path) -> RunConfig:
    ontologies = tmp_path / "ontologies"
    ontologies.mkdir()
    for name in ("ncit", "pato"):
        (ontologies / register()[name].file).write_bytes(b"aaaa")
    return RunConfig(
        slides=inputs / "slides",
        manifest=inputs / "manifest.csv",
        out=tmp_path / "out",
        graph=GraphConfig(sources_dir=ontologies, sources=("ncit",)),
    )


def ontology(config: RunConfig, name: str) -> Path:
    assert config.graph.sources_dir is not None
    return config.graph.sources_dir / register()[name].file


def keys(plan: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for stage, key in plan.shards():
        found.setdefault(stage, []).append(key)
    return found


def changed(before: Plan, after: Plan) -> set[str]:
    return {stage for stage, made in keys(after).items() if made != keys(before)[stage]}


def test_an_ontology_edited_without_changing_its_size_or_time_makes_another_graph(config: RunConfig) -> None:
    before = make_plan(config)
    assert before.graph
    path = ontology(config, "ncit")
    times = path.stat()
    path.write_bytes(b"bbbb")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    touched = changed(before, make_plan(config))
    assert {"graph", "reports", "features", "texts", "questions", "screening"} <= touched
    assert not touched & {"slides", "tiling"}


def test_patients_keep_their_split_when_others_come_or_go(config: RunConfig, inputs: Path) -> None:
    lines = (inputs / "manifest.csv").read_text().splitlines(keepends=True)
    few = inputs / "few.csv"
    few.write_text("".join(line for line in lines if ",p03," not in line))
    first = make_plan(config.model_copy(update={"manifest": few}))
    moved = {"p01": "test", "p02": "val"}
    assert first.splits.keys() == moved.keys()
    add_splits(first.splits_file, moved | {"p09": "train"})
    later = make_plan(config)
    assert later.splits.items() > moved.items()
    assert later.splits.keys() == {"p01", "p02", "p03"}
    add_splits(later.splits_file, later.splits)
    assert changed(later, make_plan(config)) == set()


def test_a_patient_with_a_report_alone_trains_unless_they_have_a_split(config: RunConfig) -> None:
    plan = make_plan(config)
    known = plan.splits | {"p07": "test", "gone": "val"}
    add_splits(plan.splits_file, known)

    def make(out: ShardWriter) -> None:
        found = [Report(f"report_{patient}", patient, ()) for patient in ("p01", "p07", "p20")]
        out.write_records("reports", found, Report)
        out.count(items_in=3, items_out=3, rejections=())

    plan.store.ensure("reports", plan.reports, make)
    assert split_of_every_patient(plan) == plan.splits | {"p07": "test", "p20": "train"}


def test_an_annotation_file_touches_features_alone_unless_fields_lie_where_it_says(
    config: RunConfig, inputs: Path, tmp_path: Path
) -> None:
    root = tmp_path / "inputs"
    shutil.copytree(inputs, root)
    config = config.model_copy(update={"slides": root / "slides", "manifest": root / "manifest.csv"})
    annotated = config.model_copy(update={"tiling": TilingConfig(centres=AnnotatedCentres())})
    sampled_before, before = make_plan(config), make_plan(annotated)
    assert sampled_before.features
    edited = next(source for source in before.sources if source.annotations)
    file = root / str(edited.annotations)
    tiling = [before.tiling]
    for content in (b"[]", None):
        file.unlink() if content is None else file.write_bytes(content)
        plan = make_plan(annotated)
        again = [old != new for old, new in zip(tiling[-1], plan.tiling, strict=True)]
        assert again == [source.uri == edited.uri for source in before.sources]
        tiling.append(plan.tiling)
    touched = changed(sampled_before, make_plan(config))
    assert "features" in touched
    assert "tiling" not in touched


def test_an_ontology_that_is_not_named_counts_for_nothing(config: RunConfig) -> None:
    before = make_plan(config)
    assert before.graph
    ontology(config, "pato").write_bytes(b"cccc")
    assert changed(before, make_plan(config)) == set()


def test_ontologies_may_move(config: RunConfig, tmp_path: Path) -> None:
    before = make_plan(config)
    shutil.copytree(ontology(config, "ncit").parent, tmp_path / "elsewhere")
    moved = GraphConfig(sources_dir=tmp_path / "elsewhere", sources=("ncit",))
    assert changed(before, make_plan(config.model_copy(update={"graph": moved}))) == set()


def test_a_night_without_training_makes_the_release_of_a_run_with_it_but_not_one_without_its_readers(
    config: RunConfig,
) -> None:
    night = make_plan(config)
    trains = make_plan(config.model_copy(update={"training": TrainingConfig()}))
    assert trains.release == night.release
    screened = ScreeningConfig(families=("tfidf",))
    assert make_plan(config.model_copy(update={"screening": screened})).release != night.release


def test_other_weights_in_the_same_file_make_another_model(config: RunConfig, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"first")
    training = TrainingConfig(encoder="ViT-B-16", pretrained=str(weights))
    trained = config.model_copy(update={"training": training})
    before = keys(make_plan(trained))
    weights.write_bytes(b"other")
    after = keys(make_plan(trained))
    assert {stage for stage in before if before[stage] != after[stage]} == {"model"}


def test_where_and_how_fast_a_run_works_is_in_no_key_and_in_no_manifest(config: RunConfig) -> None:
    config = config.model_copy(update={"training": TrainingConfig()})
    elsewhere = config.model_copy(
        update={
            "runner": RunnerConfig(kind="dask", workers=9, address="tcp://scheduler.lab:8786"),
            "review": ReviewConfig(page_url="https://review.lab"),
            "release": ReleaseConfig(workers=9),
            "training": TrainingConfig(device="cpu", threads=2, tensorboard=True, checkpoint_steps=7, time_budget_s=60),
        }
    )
    before, after = make_plan(config), make_plan(elsewhere)
    assert changed(before, after) == set()
    assert before.release == after.release
    assert before.portable_config() == after.portable_config()
    assert before.run != after.run  # the artifact that links to the page is written anew
    slower = config.model_copy(update={"training": TrainingConfig(lr=1e-3)})
    assert changed(before, make_plan(slower)) == {"model"}


def test_a_report_touches_the_slides_of_its_patient_alone(config: RunConfig, inputs: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "inputs" / "manifest.csv"
    shutil.copytree(inputs, manifest.parent)
    config = config.model_copy(update={"slides": manifest.parent / "slides", "manifest": manifest})
    before = make_plan(config)
    assert before.texts
    edited = next(source for source in before.sources if source.report)
    (manifest.parent / str(edited.report)).write_text("DIAGNOSIS: invasive ductal carcinoma")
    after = make_plan(config)
    again = [old != new for old, new in zip(before.features, after.features, strict=True)]
    assert again == [source.patient_id == edited.patient_id for source in before.sources]
    assert 0 < sum(again) < len(again)
    assert before.reports != after.reports
