"""Multiple-choice questions in five dimensions over the fields of all slides (Scale-VQA), counterbalanced.

Reference: Scale-VQA's dimensions and its fixed and free templates. We deviate in how options are made: its rule "each
wrong option differs from the right one by exactly one feature" puts the key in the centre of the options and leaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from kg.graph import Graph
from kg.vocabulary import Vocabulary
from schemas.records import Field, Question, Rejection
from schemas.records.generation import Dimension
from tasks.generation.balance import Allocation, Block
from tasks.generation.composites import composites
from tasks.generation.config import GenerationConfig
from tasks.generation.free_form import write_free_form
from tasks.generation.option_sets import OptionSet, option_sets
from tasks.generation.question_plan import QuestionTemplate, scales_of, templates_for
from tasks.generation.question_rows import Placement, question_row
from tasks.generation.view import FieldView, Tools
from tasks.generation.wordings import word_questions
from tasks.generation.writer import Writer
from tasks.store import ShardWriter

_LEFT_OUT = frozenset({"missing_scale", "unbalanced", "no_features"})  # why a dimension leaves a field out


def generate_questions(
    fields: Sequence[Field],
    split_of_patient: Mapping[str, str],
    graph: Graph,
    vocabulary: Vocabulary,
    config: GenerationConfig,
    out: ShardWriter,
    writer: Writer | None = None,
    unplaced: Sequence[Rejection] = (),
) -> None:
    """Write the tables questions and rejections; `unplaced` are the run's captions and reports that bind to nothing.

    The unit counted is the field in a dimension: it is asked at least one counterbalanced question there, or rejected
    as `no_features`, `missing_scale` or `unbalanced`. Composite questions come on top and are counted in the facts;
    what an endpoint could not word, and what is unplaced, is rejected besides.

    Raises:
        ConfigError: an unknown template, or a dimension without one.
    """
    questions, rejections = write_questions(fields, split_of_patient, graph, vocabulary, config, writer)
    rejections += unplaced
    balanced = [row for row in questions if row.option_set_id is not None]
    served = {(row.field_id, row.dimension) for row in balanced}
    out.write_records("questions", questions, Question)
    unsaid = sum(row.reason not in _LEFT_OUT for row in rejections)
    attempted = len(fields) * len(config.dimensions) + unsaid
    out.count(items_in=attempted, items_out=len(served), rejections=rejections)
    out.facts.update(
        questions=len(questions),
        counterbalanced=len(balanced),
        option_sets=len({row.option_set_id for row in balanced}),
        dimensions=dict(sorted(Counter(row.dimension for row in questions).items())),
        templates=dict(sorted(Counter(row.template for row in questions).items())),
        splits=dict(sorted(Counter(row.split for row in questions).items())),
    )


def write_questions(
    fields: Sequence[Field],
    split_of_patient: Mapping[str, str],
    graph: Graph,
    vocabulary: Vocabulary,
    config: GenerationConfig,
    writer: Writer | None = None,
) -> tuple[list[Question], list[Rejection]]:
    """Return the questions, in order of their id, and the fields that a dimension leaves out.

    With a writer, free templates are worded by the endpoint, once for all fields, and questions with options of their
    own are written by it one by one.

    Determinism: depends on the fields as a set, the splits and the seed.
    """
    tools = Tools(graph, vocabulary, config)
    templates, unsaid = templates_for(config), list[Rejection]()
    views = [FieldView(field) for field in sorted(fields, key=lambda field: field.field_id)]
    balanced, fitting = _balanced(templates, views, split_of_patient, tools)
    count = round(config.per_item_share * len(balanced))  # as the files word them: a dry run then knows it too
    if writer is not None:
        wordings, unsaid = word_questions(writer.asker, writer.claims(tools), templates)
        tools = Tools(graph, vocabulary, config, wordings)
        templates = [wordings.questions.get(template.name, template) for template in templates]
        if wordings.questions:
            balanced, fitting = _balanced(templates, views, split_of_patient, tools)
    rows = list(balanced)
    rejections = _left_out(views, rows, fitting, templates, vocabulary) + unsaid
    own = composites([item for item in templates if item.build == "composite"], views, split_of_patient, tools, count)
    if writer is None:
        rows += [question_row(item.option_set, item.place, tools) for item in own]
    else:
        written, unsaid = write_free_form(writer.asker, writer.claims(tools), own, tools)
        rows, rejections = rows + written, rejections + unsaid
    rows.sort(key=lambda row: row.question_id)
    return rows, rejections


def _balanced(
    templates: Sequence[QuestionTemplate], views: Sequence[FieldView], split_of: Mapping[str, str], tools: Tools
) -> tuple[list[Question], dict[Dimension, set[str]]]:
    """Return the counterbalanced questions, and per dimension the fields that fit some option set."""
    organs = {view.field.organ for view in views}
    rows: list[Question] = []
    fitting: dict[Dimension, set[str]] = {}
    for dimension in tools.config.dimensions:
        recipes = [item for item in templates if item.dimension == dimension and item.build != "composite"]
        sets = [option_sets(template, organs, tools) for template in recipes]
        blocks = Allocation(views, split_of, tools).blocks(sets)
        rows += [row for block in blocks for row in _block_questions(block, tools)]
        fitting[dimension] = _fitting([option_set for made in sets for option_set in made], views)
    return rows, fitting


def _block_questions(block: Block, tools: Tools) -> Iterable[Question]:
    """Yield the questions of a block: one text, one order of options, and each option once the key."""
    option_set = block.option_set
    order = list(range(len(option_set.options)))
    tools.choice("order", block.order_seed).shuffle(order)
    note = (("block", block.block_id),)
    for key, view in enumerate(block.fields):
        yield question_row(option_set, Placement(view, key, order, block.split, note, option_set.set_id), tools)


def _fitting(sets: Sequence[OptionSet], views: Sequence[FieldView]) -> set[str]:
    """Return the ids of fields that fit some option set, whether or not a block was found for them."""
    wanted: dict[tuple[str, ...], set[tuple[str | None, ...]]] = {}
    for option_set in sets:
        wanted.setdefault(option_set.conditions, set()).update(option_set.wanted)
    return {
        view.field.field_id for view in views if any(view.values(names) in states for names, states in wanted.items())
    }


def _left_out(
    views: Sequence[FieldView],
    rows: Iterable[Question],
    fitting: Mapping[Dimension, set[str]],
    templates: Sequence[QuestionTemplate],
    vocabulary: Vocabulary,
) -> list[Rejection]:
    served = {(row.dimension, row.field_id) for row in rows}
    rejections = []
    for dimension, fit in fitting.items():
        needs = [
            scales_of([name for axis in template.axes for name in axis.names(vocabulary)], vocabulary)
            for template in templates
            if template.dimension == dimension and template.build != "composite"
        ]
        for view in views:
            field_id = view.field.field_id
            if (dimension, field_id) in served:
                continue
            item = f"{field_id}/{dimension}"
            if all(any(view.field.tile_id(scale) is None for scale in scales) for scales in needs):
                row = Rejection(item, "generation", "missing_scale", f"{dimension} needs a scale that the field lacks")
            elif field_id in fit:
                row = Rejection(
                    item, "generation", "unbalanced", f"{dimension}: no partners with the other keys are left"
                )
            else:
                row = Rejection(item, "generation", "no_features", f"{dimension}: what it asks about is not known here")
            rejections.append(row)
    return rejections
