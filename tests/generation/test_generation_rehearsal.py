"""`slidesmith generate --dry-run`: what it counts is what is then asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.scripted_endpoint import ScriptedEndpoint
from demo.scripted_writer import write
from flows.cli import main
from flows.commands.generate import outcome
from flows.config import load_config
from flows.generate_samples import attach_arguments
from flows.plan import Plan, make_plan
from kg.graph import Graph
from kg.link import Lexicon
from schemas.records import Field, Slide, Tile
from schemas.records.shared import SCALES
from tasks.generation.expert_captions import ExpertCaption
from tasks.generation.task import attach, link, write_questions, write_texts
from tasks.store import ShardWriter

pytest.importorskip("openai", reason="the extra [llm] is not installed")
FIELDS = 4


@pytest.fixture
def server() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(write) as started:
        yield started


@pytest.fixture
def config(server: ScriptedEndpoint, tmp_path: Path) -> Path:
    """A run over one slide, all of whose findings come from an endpoint."""
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "a.svs").write_bytes(b"the bytes of a slide that is tiled already")
    manifest = "path,patient_id,organ,stain,licence,report,annotations\na.svs,p1,breast,H&E,CC0-1.0,,\n"
    (tmp_path / "slides" / "manifest.csv").write_text(manifest)
    endpoint = {"base_url": server.url, "model": "scripted", "prices": {"input": 1, "output": 2}}
    generation = {
        "generator": "openai",
        "endpoint": endpoint,
        "features": {"sources": ["endpoint"]},
        "dimensions": ["correspondence", "explanation"],
    }
    settings = {"slides": "slides", "manifest": "slides/manifest.csv", "out": "out", "generation": generation}
    (tmp_path / "run.yaml").write_text(json.dumps(settings))
    return tmp_path / "run.yaml"


def prepare(plan: Plan, graph: Graph, slide: Slide) -> None:
    """Put into the store what tiling and the graph leave there."""

    def tiling(out: ShardWriter) -> None:
        names = [(n, scale, f"tile_{n}_{scale}") for n in range(FIELDS) for scale in SCALES]
        images = {name: b"\xff\xd8\xff" + name.encode() for _, _, name in names}
        boxes = (0, 0, 100, 100, 256, 256, 1.0, 1.0, 1.0, 0.0, 0.0, "native")
        tiles = [Tile(name, slide.slide_id, f"field_{n}", s, 2.5, *boxes, images[name]) for n, s, name in names]
        fields = [
            Field(
                f"field_{n}", slide.slide_id, "p1", 5, 5, f"tile_{n}_low", f"tile_{n}_mid", f"tile_{n}_high", "breast"
            )
            for n in range(FIELDS)
        ]
        out.write_records("slides", [slide], Slide)
        out.write_records("tiles", tiles, Tile)
        out.write_records("fields", fields, Field)
        out.facts["bounds_px0"] = [0, 0, 100, 100]

    def knowledge(out: ShardWriter) -> None:
        graph.save(out.path(""))
        Lexicon.from_graph(graph).save(out.path("lexicon.parquet"))

    plan.store.ensure("tiling", plan.tiling[0], tiling)
    plan.store.ensure("graph", plan.graph, knowledge)


def dry_run(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, int], list[str]]:
    main(["generate", "--config", str(config), "--dry-run", "--json"])
    told = json.loads(capsys.readouterr().out)
    return {step: counted["calls"] for step, counted in told["steps"].items()}, told["unknown"]


def test_a_dry_run_counts_what_is_then_asked_and_sends_nothing(
    config: Path, server: ScriptedEndpoint, graph: Graph, slide: Slide, capsys: pytest.CaptureFixture[str]
) -> None:
    calls, unknown = dry_run(config, capsys)
    assert calls == {}
    assert len(unknown) == 2
    plan = make_plan(load_config(config))
    settings, folder = plan.config.generation, plan.endpoint_folder
    prepare(plan, graph, slide)

    calls, unknown = dry_run(config, capsys)
    assert calls["features"] == 3 * FIELDS
    assert any("has yet to see" in what for what in unknown)
    assert not server.calls
    assert not folder.exists()

    known = plan.store.open("graph", plan.graph)
    link.fn(plan.store, plan.reports, *plan.report_files(), known)
    attach.fn(**attach_arguments(plan)[0])
    assert len(server.calls) == 3 * FIELDS

    calls, unknown = dry_run(config, capsys)
    assert calls["features"] == 0
    assert unknown == []
    features = [plan.store.open("features", plan.features[0])]
    write_texts.fn(plan.store, plan.texts[0], features[0], known, settings, folder)
    tiles, reports = [plan.store.open("tiling", plan.tiling[0])], plan.store.open("reports", plan.reports)
    lost = [ExpertCaption("low", "Solid architecture.", None, "field_of_no_slide", None)]
    place = (plan.store, plan.questions, features, known, plan.splits, settings, folder)
    assert write_questions.fn(*place, tiles=tiles, reports=reports, captions=lost).rejected["unknown_place"] == 1
    result, lines = outcome(plan)
    assert result["rows"]["fields"] == FIELDS
    assert result["rows"]["captions"] > 10 * FIELDS
    assert result["spent"]["calls"] == len(server.calls)
    assert f"endpoint so far: {len(server.calls)} calls" in lines[-1]
    made = len(server.calls) - 3 * FIELDS
    assert calls["texts"] + calls["questions"] == made > 20
    assert dry_run(config, capsys)[0] == {"features": 0, "texts": 0, "questions": 0}


def test_without_an_endpoint_a_dry_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "slides").mkdir()
    (tmp_path / "run.yaml").write_text("slides: slides\nout: out\n")
    main(["generate", "--config", str(tmp_path / "run.yaml"), "--dry-run"])
    assert "without a call" in capsys.readouterr().out


def test_neither_key_nor_address_of_an_endpoint_stands_in_keys_and_manifests(config: Path) -> None:
    plan = make_plan(load_config(config))
    assert plan.portable_config()["generation"]["endpoint"]["model"] == "scripted"
    assert "base_url" not in plan.portable_config()["generation"]["endpoint"]
    moved = config.read_text().replace("127.0.0.1", "localhost")
    config.write_text(moved)
    assert make_plan(load_config(config)).texts == plan.texts
