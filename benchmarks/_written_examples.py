"""What the rules write of one field of the demo, and a scripted model: `python -m benchmarks._written_examples`.

The examples of docs/generation.md are what this prints. No language model runs: the words are those of
`demo/scripted_writer.py`.
"""

from __future__ import annotations

import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.generation import demo_fields
from demo.scripted_endpoint import ScriptedEndpoint
from demo.scripted_writer import write
from kg.build import build_graph
from kg.link import Lexicon, Linker
from kg.sources import starter_source
from kg.vocabulary import load_vocabulary
from schemas.records import Caption, Field, Perturbation, Question, Reasoning
from tasks.endpoint.client import Endpoint
from tasks.endpoint.config import EndpointConfig
from tasks.generation.config import GenerationConfig
from tasks.generation.prompting import prompt_sha256
from tasks.generation.questions import write_questions
from tasks.generation.texts import Texts, write_texts
from tasks.generation.view import FieldView, Tools
from tasks.generation.writer import Writer
from tasks.splits import assign_splits

Examples = tuple[Texts, list[Question]]
_WIDTH = 118


def examples(generator: str, fields: list[Field], field: Field) -> Examples:
    """Return the texts of one field and the questions of all, in the words of the rules or of the scripted model."""
    graph, vocabulary = build_graph([starter_source()]).graph, load_vocabulary()
    with tempfile.TemporaryDirectory() as folder, ScriptedEndpoint(write) as server:
        reached = EndpointConfig(base_url=server.url, model="scripted")
        config = GenerationConfig.model_validate({"generator": generator, "endpoint": reached, "judge_min_score": 3})
        asked = Writer(Endpoint(reached, Path(folder)), Linker(Lexicon.from_graph(graph)))
        writer = asked if generator == "openai" else None
        texts = write_texts([field], Tools(graph, vocabulary, config), writer)
        shares = config.splits.model_dump()
        splits = assign_splits(Counter(field.patient_id for field in fields), shares=shares, seed=config.seed)
        questions, _ = write_questions(fields, splits, graph, vocabulary, config, writer)
    return texts, questions


def by_rules(found: Examples) -> Iterator[str]:
    """Yield captions of every level, a question on a diagnosis, and the reasoning sample."""
    texts, questions = found
    for caption in plain(texts.captions):
        yield _told(caption.level, caption.text)
    yield from _question(next(row for row in questions if row.dimension == "diagnosis"))
    yield from _reasoning(texts.reasoning[0])


def by_model(found: Examples) -> Iterator[str]:
    """Yield the same in a model's words, with a negative that it proposed."""
    texts, questions = found
    captions = {caption.caption_id: caption for caption in texts.captions}
    worded = next(row for row in plain(texts.captions) if row.level == "cytology")
    yield _told("caption", worded.text)
    proposed = [row for row in texts.perturbations if row.provenance.prompt_sha256 == prompt_sha256("negatives")]
    yield from _negative(proposed[0], captions[proposed[0].caption_id])
    of_model = [row for row in questions if row.provenance.generator == "openai" and row.option_set_id]
    yield from _question(of_model[0])
    yield from _reasoning(texts.reasoning[0])


def plain(captions: Iterable[Caption]) -> list[Caption]:
    """Return the captions of the plain style in their first phrasing, one a level."""
    return [row for row in captions if row.phrasing == 0 and '"plain"' in row.provenance.parameters]


def _negative(row: Perturbation, caption: Caption) -> Iterator[str]:
    said = caption.text[row.start : row.end]
    yield _told("negative", f"{caption.text[: row.start]}[{said} -> {row.replacement}]{caption.text[row.end :]}")
    yield _told("", f"certificate {row.certificate}, edit similarity {row.edit_similarity:.2f}")


def _question(row: Question) -> Iterator[str]:
    yield _told("question", row.question)
    for place, option in enumerate(row.options):
        yield _told("", f"{'*' if place == row.answer_index else '-'} {option}")


def _reasoning(row: Reasoning) -> Iterator[str]:
    yield _told("reasoning", row.observe)
    yield from (_told("", f"- {step.text}") for step in row.think)
    yield _told("", row.answer)


def _told(name: str, text: str) -> str:
    indent = " " * 14
    return textwrap.fill(text, _WIDTH, initial_indent=f"{name:<14}", subsequent_indent=indent)


def main() -> None:
    """Print both."""
    fields = demo_fields()
    field = next(row for row in fields if row.organ == "breast" and FieldView(row).value("architecture") == "solid")
    for title, generator, tell in (("rules", "rules", by_rules), ("a scripted model", "openai", by_model)):
        print(f"In the words of {title}:\n")
        print("\n".join(tell(examples(generator, fields, field))), end="\n\n")


if __name__ == "__main__":
    main()
