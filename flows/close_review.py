"""Flow: read what the annotators have decided, and go on with what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow

from flows.config import RunConfig, resolve_config
from flows.limits import screening_slots, slots
from flows.plan import make_plan
from schemas.records import Question, Verdict
from tasks.review.decision_log import collect_log
from tasks.review.rescreen import Screener
from tasks.review.task import apply
from tasks.screening.config import ScreeningConfig
from tasks.store import Shard


@flow(name="close-review")
def close_review(config: RunConfig | Path) -> None:
    """Apply decisions: accepted items stay, edited ones are screened again, rejected and held ones are counted."""
    settings = resolve_config(config)
    if settings.decisions is None:
        collect_log(settings.out / "review")
    plan = make_plan(settings)
    screened = plan.store.open("screening", plan.screening)
    queue = plan.store.open("queue", plan.queue)
    texts = [plan.store.open("texts", key) for key in plan.texts]
    screener = _screener(settings.screening, screened, plan.store.root / "endpoint")
    apply(plan.store, plan.reviewed, screened, queue, texts, settings.review, plan.decisions_file, screener)


def _screener(config: ScreeningConfig, screened: Shard, asked: Path | None = None) -> Screener:
    """Return the run's own screening; what endpoints have answered before is not asked again.

    Its verdicts bear the number after the last screening's: a question is read once per reader and round. Its slots are
    those of a first screening, and are held only where there is something to read.
    """

    def screen(questions: Sequence[Question]) -> tuple[Mapping[str, Sequence[Mapping[str, Any]]], list[Verdict]]:
        from tasks.screening.edits import given_away
        from tasks.screening.items import item_of
        from tasks.screening.outside import outside_readers
        from tasks.screening.screen import screen as read_without_image

        rounds = screened.table("verdicts", ["round"])["round"].unique().to_pylist()
        numbered = config.model_copy(update={"round": 1 + max(rounds, default=config.round)})
        items = [item_of(question) for question in questions]
        with slots(*screening_slots(config)):
            found = read_without_image(items, numbered, outside_readers(config, asked))
        flags = {
            item_id: [{"reader": flag.reader, "p": flag.p, "cue": flag.cue} for flag in reasons]
            for item_id, reasons in found.item_flags.items()
        }
        return given_away(screened.records("questions", Question), questions, config) | flags, found.verdicts

    return screen
