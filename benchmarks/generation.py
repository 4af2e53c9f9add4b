"""Is what the rules generate complete, right, fast, and impossible to tell from its text alone?

Fields are drawn from the plan of the demo (12 patients, 24 slides), so no slide has to be read.

Usage: python benchmarks/generation.py [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks._claims import Claim, claim, keep, tell
from benchmarks._key_checker import wrong_keys
from benchmarks._real_reports import report_claims
from benchmarks._scripted_calls import scripted_claims
from benchmarks._scripted_writer import worded_claims
from demo.plan import plan_demo
from kg.build import build_graph
from kg.graph import Graph
from kg.sources import starter_source
from kg.vocabulary import load_vocabulary
from schemas.arrow import from_table
from schemas.ids import content_id
from schemas.records import Caption, Feature, Field, Perturbation, Question
from schemas.records.generation import DIMENSIONS, OPERATOR_ROLES
from tasks.generation.config import GenerationConfig
from tasks.generation.questions import write_questions
from tasks.generation.texts import generate_texts
from tasks.splits import assign_splits
from tasks.store import ShardWriter

Z90 = 1.6449  # two-sided 90%
TIE = 1e-6  # margin below which a reader of pairs says nothing
MAGNITUDE = {"high", "marked", "dense", "frequent", "many", "enlarged", "prominent"}
DENIAL = {"against", "undecided", "not", "few", "hardly", "little"}


def demo_fields(slides: int = 24, patients: int = 12, seed: int = 0, per_region: int = 9) -> list[Field]:
    """Return fields as the demo's slides give them: about nine in each annotated region."""
    chance = random.Random(seed)
    fields = []
    for slide in plan_demo(slides, patients, seed):
        for region, values in enumerate(slide.regions):
            for number in range(per_region + chance.choice((-1, 0, 1))):
                field_id = content_id("field", slide.name, region, number)
                tiles = (f"{field_id}-low", f"{field_id}-mid", f"{field_id}-high")
                place = (field_id, slide.name, slide.patient_id, 0, 0, *tiles)
                fields.append(Field(*place, slide.organ, _features(field_id, slide.organ, values)))
    return fields


def _features(field_id: str, organ: str, values: dict[str, str]) -> tuple[Feature, ...]:
    vocabulary = load_vocabulary()
    known = vocabulary.attributes
    said = [(name, known[name].scale, value, known[name].values[value].concept_id) for name, value in values.items()]
    diagnosis = vocabulary.diagnosis(organ, values["architecture"])
    if diagnosis is not None:
        said.append(("diagnosis", "low", diagnosis.concept_id.partition(":")[2], diagnosis.concept_id))
    return tuple(
        Feature(content_id("feat", field_id, name), scale, name, value, concept, source="annotation")
        for name, scale, value, concept in said
    )


def unbalanced_groups(questions: Sequence[Question], *, by_patient: bool) -> int:
    """Count groups of one split and option set (and patient, and order) whose keys are not equally frequent."""
    groups: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for row in questions:
        if row.option_set_id:
            place = (row.patient_id, *row.options) if by_patient else ()
            groups[row.split, row.option_set_id, *place][row.options[row.answer_index]] += 1
    return sum(len(counts) != 4 or len(set(counts.values())) != 1 for counts in groups.values())


def block_of(row: Question) -> str:
    """Return what a question is clustered by: its block, or itself where it has options of its own."""
    return f"{row.split}/{row.provenance.parameters}" if row.option_set_id else row.question_id


def whole_blocks(questions: Sequence[Question], count: int) -> list[Question]:
    """Return about `count` questions, counterbalanced ones in whole blocks, in seeded order."""
    blocks: dict[str, list[Question]] = defaultdict(list)
    for row in questions:
        blocks[block_of(row)].append(row)
    taken: list[Question] = []
    for name in random.Random(0).sample(sorted(blocks), len(blocks)):
        taken += blocks[name] if len(taken) < count else []
    return taken


def read_questions(questions: Sequence[Question]) -> NDArray[np.int64]:
    """Return the option that an ensemble of four fitted text-only readers chooses, out of fold by patient."""
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    options = [option for row in questions for option in row.options]
    key = np.array([i == row.answer_index for row in questions for i in range(len(row.options))])
    groups = np.array([row.patient_id for row in questions for _ in row.options])
    cues: Any = np.array([_cues(row, index) for row in questions for index in range(len(row.options))])
    words: Any = TfidfVectorizer(ngram_range=(1, 2)).fit_transform(options)
    forest: Any = RandomForestClassifier(60, min_samples_leaf=5, n_jobs=1, random_state=0)
    boosting = LGBMClassifier(n_estimators=60, verbose=-1, n_jobs=1)
    logistic: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    tfidf = LogisticRegression(max_iter=300)
    total = np.zeros(len(key))
    for reader, features in ((logistic, cues), (boosting, cues), (tfidf, words), (forest, cues)):
        for train, test in GroupKFold(5).split(features, key, groups):
            told = reader.fit(features[train], key[train]).predict_proba(features[test])
            total[test] += np.asarray(told)[:, 1]
    total += np.random.default_rng(0).random(len(total)) * 1e-9  # ties
    return np.asarray(total.reshape(-1, 4).argmax(axis=1))


def _cues(row: Question, index: int) -> list[float]:
    sets = [set(re.findall(r"\w+", option.lower())) for option in row.options]
    own, asked = sets[index], set(re.findall(r"\w+", row.question.lower()))
    agreement = [len(own & other) / len(own | other) for other in sets if other is not own]
    lengths = [len(option) for option in row.options]
    rank = sum(length < lengths[index] for length in lengths)
    length_cues = [float(lengths[index]), lengths[index] / max(lengths), rank, index, len(own)]
    return [*length_cues, sum(agreement), max(agreement), len(own & asked), len(own & MAGNITUDE), len(own & DENIAL)]


def pair_reader(rows: Sequence[Perturbation], caption: dict[str, str]) -> NDArray[np.float64]:
    """Return per pair 1 where a fitted text-only reader tells the caption (a tie is half), out of fold by patient."""
    from scipy.sparse import vstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    originals, changed = [caption[row.caption_id] for row in rows], [row.text for row in rows]
    tfidf = TfidfVectorizer(ngram_range=(1, 3)).fit(originals + changed)
    difference = tfidf.transform(originals) - tfidf.transform(changed)
    groups = np.array([row.patient_id for row in rows])
    told = np.zeros(len(rows))
    for train, test in GroupKFold(5).split(difference, groups=groups):
        both = vstack([difference[train], -difference[train]])
        side = np.repeat([1, 0], len(train))
        reader = LogisticRegression(max_iter=300, fit_intercept=False).fit(both, side)
        margin = reader.decision_function(difference[test])
        told[test] = np.where(np.abs(margin) < TIE, 0.5, margin > 0)
    return told


def upper_end(hits: NDArray[Any], blocks: Sequence[str]) -> tuple[float, float]:
    """Return the share of hits and the upper end of its 90% interval, clustered by block."""
    mean = float(np.mean(hits))
    sums: dict[str, float] = defaultdict(float)
    for value, block in zip(np.asarray(hits, dtype=float).tolist(), blocks, strict=True):
        sums[block] += value - mean
    clusters = max(len(sums), 2)
    error = np.sqrt(sum(total**2 for total in sums.values()) * clusters / (clusters - 1)) / len(blocks)
    return mean, mean + Z90 * float(error)


def write_texts(fields: Sequence[Field], graph: Graph) -> tuple[list[Caption], list[Perturbation], int]:
    """Return the captions, perturbations and number of reasoning samples of all slides."""
    captions, perturbations, reasoned = list[Caption](), list[Perturbation](), 0
    for slide in sorted({field.slide_id for field in fields}):
        group = [field for field in fields if field.slide_id == slide]
        with tempfile.TemporaryDirectory() as folder:
            out = ShardWriter(Path(folder))
            generate_texts(group, graph, load_vocabulary(), GenerationConfig(), out)
            captions += from_table(pq.read_table(out.path("captions.parquet")), Caption)
            perturbations += from_table(pq.read_table(out.path("perturbations.parquet")), Perturbation)
            reasoned += out.rows["reasoning"]
    return captions, perturbations, reasoned


def question_claims(fields: list[Field], splits: dict[str, str], graph: Graph, count: int) -> Iterable[Claim]:
    """Yield what is measured on questions."""
    vocabulary = load_vocabulary()
    started = time.process_time()
    many, _ = write_questions(fields, splits, graph, vocabulary, GenerationConfig(questions_per_field=3))
    cpu = (time.process_time() - started) * 10_000 / len(many)
    yield claim("10,000 questions, CPU time", cpu, "s", "<= 60", cpu <= 60)
    wrong = wrong_keys(many[:10_000], fields, graph)
    yield claim(f"wrong keys in {min(len(many), 10_000):,}", wrong, "questions", "0", wrong == 0)
    rows, _ = write_questions(fields, splits, graph, vocabulary, GenerationConfig())
    yield claim("questions of fields drawn from the demo's plan", len(rows), "questions", ">= 4000", len(rows) >= 4000)
    for dimension in DIMENSIONS:
        found = Counter(row.template for row in rows if row.dimension == dimension)
        yield claim(f"{dimension}", sum(found.values()), "questions", ">= 300", sum(found.values()) >= 300)
        yield from (claim(f"{dimension} x {name}", n, "questions", ">= 1", n >= 1) for name, n in sorted(found.items()))
    fixed = float(np.mean([row.template_kind == "fixed" for row in rows]))
    yield claim("share of fixed templates", fixed, "share", "0.4 to 0.6", 0.4 <= fixed <= 0.6)
    sets = len({row.option_set_id for row in rows} - {None})
    yield claim("distinct option sets", sets, "sets", ">= 40", sets >= 40)
    free = float(np.mean([row.option_set_id is None for row in rows]))
    yield claim("share with options of their own", free, "share", "<= 0.15", free <= 0.15)
    bad = unbalanced_groups(rows, by_patient=False) + unbalanced_groups(rows, by_patient=True)
    split = ", ".join(f"{name} {count}" for name, count in sorted(Counter(row.split for row in rows).items()))
    yield claim(
        f"groups of unequal keys by split and set, and by patient and order ({split})", bad, "groups", "0", not bad
    )
    sample = whole_blocks(rows, count)
    hits = read_questions(sample) == np.array([row.answer_index for row in sample])
    for cell in sorted({row.cell for row in sample if row.option_set_id}):
        at = [index for index, row in enumerate(sample) if row.cell == cell]
        yield _at_chance(cell, hits[at], [block_of(sample[index]) for index in at])
    own = [row for row in rows if row.option_set_id is None]  # not balanced: all of them, so that they can be judged
    yield of_their_own(own)


def of_their_own(rows: Sequence[Question]) -> Claim:
    """Return how the ensemble reads questions with options of their own."""
    hits = read_questions(rows) == np.array([row.answer_index for row in rows])
    cells = ", ".join(sorted({row.cell for row in rows}))
    return _at_chance(f"options of their own: {cells}", hits, [block_of(row) for row in rows])


def _at_chance(cell: str, hits: NDArray[Any], blocks: Sequence[str]) -> Claim:
    mean, upper = upper_end(hits, blocks)
    name = f"ensemble of four, {cell} (n={len(hits)}, upper end {upper:.3f})"
    return claim(name, mean, "accuracy", "upper end <= 0.30", upper <= 0.30)


def staying(graph: Graph, *, patients: int, come: int, fields_each: int | None, goal: float) -> Claim:
    """Return how many questions stay of patients who stay, when one patient leaves and some come."""
    fields, shares = demo_fields(2 * patients, patients, 3), GenerationConfig().splits.model_dump()
    if fields_each is not None:
        random.Random(1).shuffle(fields)
        met: Counter[str] = Counter()
        fields = [field for field in fields if (met.update([field.patient_id]) or met[field.patient_id]) <= fields_each]
    names = sorted({field.patient_id for field in fields})
    asked: list[dict[str, Question]] = []
    splits: dict[str, str] = {}
    for absent in (names[-come:], names[:1]):
        there = [field for field in fields if field.patient_id not in absent]
        counts = Counter(field.patient_id for field in there)
        splits |= assign_splits(counts, shares=shares, seed=0, known=splits)
        rows, _ = write_questions(there, splits, graph, load_vocabulary(), GenerationConfig())
        asked.append({row.question_id: row for row in rows if row.patient_id not in {*names[-come:], names[0]}})
    stay = len(asked[0].keys() & asked[1].keys()) / len(asked[0])
    each = f" of {fields_each} fields each" if fields_each else ""
    name = f"questions that stay when one of {patients} patients{each} leaves and {come} come"
    return claim(name, stay, "share", f">= {goal}", stay >= goal)


def text_claims(fields: list[Field], graph: Graph) -> Iterable[Claim]:
    """Yield what is measured on captions and perturbations."""
    captions, rows, reasoned = write_texts(fields, graph)
    yield claim("reasoning samples", reasoned, "samples", ">= 1", reasoned > 0)
    text = {caption.caption_id: caption.text for caption in captions}
    broken = sum(text[r.caption_id][: r.start] + r.replacement + text[r.caption_id][r.end :] != r.text for r in rows)
    yield claim("perturbations beyond their span", broken, "rows", "0", broken == 0)
    told = pair_reader(rows, text)
    mirror_rows = [row for row in rows if row.mirrored]
    mirror_told = pair_reader(mirror_rows, text)
    for operator, roles in OPERATOR_ROLES.items():
        for role in roles:
            at = [i for i, row in enumerate(rows) if (row.operator, row.role) == (operator, role)]
            inside = [i for i, row in enumerate(mirror_rows) if (row.operator, row.role) == (operator, role)]
            shares = f"all {told[at].mean():.2f}, mirrored {mirror_told[inside].mean() if inside else float('nan'):.2f}"
            name = f"{operator} x {role} (mirrored {len(inside)}; pair reader: {shares})"
            yield claim(name, len(at), "perturbations", ">= 1", bool(at and inside))
    mean, upper = upper_end(mirror_told, [row.patient_id for row in mirror_rows])
    name = f"pair reader, mirrored (upper end {upper:.3f}; all perturbations: {told.mean():.3f})"
    yield claim(name, mean, "accuracy", "upper end <= 0.55", upper <= 0.55)


def main() -> None:
    """Measure, print the table and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer fields and questions")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    graph = build_graph([starter_source()]).graph
    fields, shares = demo_fields(), GenerationConfig().splits.model_dump()
    splits = assign_splits(Counter(field.patient_id for field in fields), shares=shares, seed=0)
    few = fields[::3] if arguments.quick else fields
    claims = [*question_claims(fields, splits, graph, 800 if arguments.quick else 2000), *text_claims(few, graph)]
    claims.append(staying(graph, patients=20, come=2, fields_each=None, goal=0.99))
    claims.append(staying(graph, patients=110, come=10, fields_each=8, goal=0.8))
    claims += report_claims(graph)
    claims += worded_claims(of_their_own, fields, splits, graph)
    claims += scripted_claims(200 if arguments.quick else 1000)
    tell(claims)
    keep(claims, arguments.json)


if __name__ == "__main__":
    main()
