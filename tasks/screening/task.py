"""Prefect task of leakage screening."""

from __future__ import annotations

from prefect import task

from schemas.records import Question
from tasks.screening.config import ScreeningConfig
from tasks.screening.outside import outside_readers, outside_writer
from tasks.screening.questions import screen_questions
from tasks.store import Shard, ShardInfo, ShardStore, ShardWriter


@task(name="screen questions", persist_result=False)
def screen(store: ShardStore, key: str, questions: Shard, graph: Shard, config: ScreeningConfig) -> ShardInfo:
    """Read every question without its image, and drop the cells that are answered all the same."""

    def make(out: ShardWriter) -> None:
        asked = store.root / "endpoint"
        readers, writer = outside_readers(config, asked), outside_writer(config, asked, graph.path("lexicon.parquet"))
        screen_questions(questions.records("questions", Question), config, out, readers, writer)

    return store.ensure("screening", key, make)[0]
