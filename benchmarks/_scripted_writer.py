"""What the generator `openai` makes of the demo's fields, with a scripted model behind a real HTTP server."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks._claims import Claim, claim
from benchmarks._key_checker import wrong_keys
from demo.scripted_endpoint import ScriptedEndpoint
from demo.scripted_writer import write
from kg.graph import Graph
from kg.link import Lexicon, Linker
from kg.vocabulary import load_vocabulary
from schemas.records import Field, Question
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.generation.config import GenerationConfig
from tasks.generation.question_plan import load_plan
from tasks.generation.questions import write_questions
from tasks.generation.texts import write_texts
from tasks.generation.view import Tools
from tasks.generation.writer import Writer


def worded_claims(
    of_their_own: Callable[[Sequence[Question]], Claim],
    fields: Sequence[Field],
    splits: Mapping[str, str],
    graph: Graph,
) -> Iterator[Claim]:
    """Yield what is measured on questions of all fields and on texts of one slide, in a model's words."""
    slide = [field for field in fields if field.slide_id == fields[0].slide_id]
    with tempfile.TemporaryDirectory() as folder, ScriptedEndpoint(write) as server:
        reached = EndpointConfig(base_url=server.url, model="scripted")
        config = GenerationConfig(generator="openai", endpoint=reached, judge_min_score=3)
        writer = Writer(Endpoint(reached, Path(folder)), Linker(Lexicon.from_graph(graph)))
        started = time.process_time()
        rows, _ = write_questions(fields, splits, graph, load_vocabulary(), config, writer)
        cpu, calls = time.process_time() - started, len(server.calls)
        texts = write_texts(slide, Tools(graph, load_vocabulary(), config), writer)
    worded = [row for row in rows if row.provenance.generator == "openai"]
    yield claim(
        f"questions in a model's words ({calls} calls, {cpu:.1f} s)", len(worded), "questions", ">= 1", bool(worded)
    )
    silent = {template.name for template in load_plan().templates} - {row.template for row in rows}
    yield claim("templates without a question in a model's words", len(silent), "templates", "0", not silent)
    wrong = wrong_keys(rows, fields, graph)
    yield claim(
        f"wrong keys in {len(rows):,} questions, words of a model among them", wrong, "questions", "0", wrong == 0
    )
    yield of_their_own([row for row in worded if row.option_set_id is None])
    kinds = {
        "captions": [row.provenance for row in texts.captions],
        "perturbations": [row.provenance for row in texts.perturbations],
        "reasoning samples": [row.provenance for row in texts.reasoning],
    }
    for name, made in kinds.items():
        count = sum(made_by.generator == "openai" for made_by in made)
        yield claim(f"{name} of one slide in a model's words, of {len(made):,}", count, "rows", ">= 1", count >= 1)
    reasons = Counter(row.reason for row in texts.rejections)
    faults = reasons["malformed_answer"] + reasons["endpoint_failed"]
    yield claim("answers of the scripted model that the screens reject", faults, "answers", "0", faults == 0)
