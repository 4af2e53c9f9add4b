"""Flow: fields to captions, perturbations, questions and reasoning samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from flows.candidate import split_of_every_patient
from flows.config import RunConfig, RunnerConfig, resolve_config
from flows.execution import gather, task_runner
from flows.limits import endpoint_slots, slots
from flows.plan import Plan, make_plan
from tasks.generation.expert_captions import ExpertCaption, read_expert_captions
from tasks.generation.task import attach, link, write_questions, write_texts
from tasks.splits import add_splits


@flow(name="generate-samples")
def generate_samples(config: RunConfig | Path) -> None:
    """Link the reports, say what each field shows, and write everything that is generated from it."""
    settings = resolve_config(config)
    plan = make_plan(settings)
    if not plan.splits.items() <= add_splits(plan.splits_file, plan.splits).items():
        plan = make_plan(settings)  # another run has placed these patients meanwhile
    if not all(plan.store.find(*shard) for shard in plan.generated()):
        with slots(*endpoint_slots(settings.generation.endpoint)):
            _generate(plan)
    # Who has a report alone must not move either, should a slide of theirs come, or their last one have gone.
    add_splits(plan.splits_file, split_of_every_patient(plan))


def _generate(plan: Plan) -> None:
    settings = plan.config
    names = [source.name for source in plan.sources]
    graph = plan.store.open("graph", plan.graph)
    files, root = plan.report_files()
    link(plan.store, plan.reports, files, root, graph)
    # An endpoint is asked many things at once within one slide; its bounds are meant for all of them together.
    with task_runner(RunnerConfig(workers=1) if settings.generation.endpoint else settings.runner) as runner:
        gather("attach features", [runner.submit(attach, arguments) for arguments in attach_arguments(plan)], names)
        features = [plan.store.open("features", key) for key in plan.features]
        common = {
            "store": plan.store,
            "graph": graph,
            "config": settings.generation,
            "endpoint": plan.endpoint_folder,
        }
        texts = [
            runner.submit(write_texts, {**common, "key": key, "features": shard})
            for key, shard in zip(plan.texts, features, strict=True)
        ]
        gather("write texts", texts, names)
    write_questions(
        plan.store,
        plan.questions,
        features,
        graph,
        plan.splits,
        settings.generation,
        plan.endpoint_folder,
        tiles=[plan.store.open("tiling", key) for key in plan.tiling],
        reports=plan.store.open("reports", plan.reports),
        captions=_captions(plan),
    )


def attach_arguments(plan: Plan) -> list[dict[str, Any]]:
    """Return the arguments of `attach`, one slide after another."""
    common = {
        "store": plan.store,
        "reports": plan.store.open("reports", plan.reports),
        "graph": plan.store.open("graph", plan.graph),
        "config": plan.config.generation,
        "endpoint": plan.endpoint_folder,
        "captions": _captions(plan),
    }
    return [
        {
            **common,
            "key": key,
            "tiles": plan.store.open("tiling", tiles),
            "annotations": source.root / source.annotations if source.annotations else None,
        }
        for key, tiles, source in zip(plan.features, plan.tiling, plan.sources, strict=True)
    ]


def _captions(plan: Plan) -> list[ExpertCaption]:
    return read_expert_captions(plan.config.captions) if plan.config.captions else []
