"""A small release candidate, built from the records, with real JPEGs."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import simplejpeg

from schemas.arrow import to_table
from schemas.ids import content_id
from schemas.records import (
    TABLES,
    Caption,
    Feature,
    Field,
    Mention,
    Perturbation,
    Provenance,
    Question,
    Reasoning,
    ReasoningStep,
    Rejection,
    Report,
    ReviewEvent,
    Section,
    Slide,
    Tile,
    Verdict,
)
from schemas.records.shared import SCALES
from tasks.releases.candidate import Candidate
from tasks.releases.config import ReleaseConfig
from tasks.store import write_parquet

Rows = dict[str, list[Any]]
MADE = Provenance(generator="rules", prompt_sha256="0" * 64, code_version="test", input_ids=("a", "b"))
OPTIONS = ("glandular architecture", "solid architecture")


def jpeg(seed: int, side: int = 64, quality: int = 85) -> bytes:
    """Return a JPEG of smooth coloured noise; another seed looks different."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 250, (9, 9, 3))
    pixels = np.kron(coarse, np.ones((side // 8, side // 8, 1)))[:side, :side] + rng.normal(0, 6, (side, side, 3))
    return bytes(simplejpeg.encode_jpeg(np.clip(pixels, 0, 255).astype(np.uint8), quality=quality))


def sample_rows(patients: int = 6, slides_each: int = 2) -> Rows:
    """Return records of every table: two questions of one counterbalanced set per field pair."""
    rows: Rows = {name: [] for name in TABLES}
    for p, s in itertools.product(range(patients), range(slides_each)):
        _add_slide(rows, f"P{p:02d}", p * slides_each + s)
    rows["rejections"] = [
        Rejection("broken.svs", "slides", "unreadable", "not a slide"),
        Rejection(content_id("field", "dropped"), "tiling", "low_tissue", "4% tissue"),
    ]
    return rows


def _add_slide(rows: Rows, patient: str, number: int) -> None:
    slide_id, field_id = content_id("slide", patient, number), content_id("field", patient, number)
    report_id = content_id("report", patient, number)
    tiles = {scale: content_id("tile", slide_id, scale) for scale in SCALES}
    rows["slides"].append(
        Slide(
            slide_id,
            patient,
            f"{number}.svs",
            f"{number}.svs",
            f"{number:064x}",
            "aperio",
            9000,
            8000,
            0.5,
            0.5,
            objective_power=20.0,
            organ="colon",
            report_id=report_id,
            licence="CC0-1.0",
        )
    )
    for at, scale in enumerate(SCALES):
        rows["tiles"].append(
            Tile(
                tiles[scale],
                slide_id,
                field_id,
                scale,
                (10.0, 2.5, 0.5)[at],
                10,
                20,
                640,
                640,
                64,
                64,
                0.9,
                1.0,
                120.5,
                0.0,
                0.0,
                "openslide",
                jpeg(number * 3 + at),
            )
        )
    feature = Feature(
        content_id("feat", field_id),
        "low",
        "architecture",
        "glandular",
        "SSG:glandular_architecture",
        source="annotation",
    )
    rows["fields"].append(
        Field(
            field_id,
            slide_id,
            patient,
            330,
            340,
            tiles["low"],
            tiles["mid"],
            tiles["high"],
            organ="colon",
            features=(feature,),
        )
    )
    text = f"Glandular architecture is seen in specimen {number}."
    sections = (Section("microscopic description", text), Section("diagnosis", "Adenocarcinoma."))
    rows["reports"].append(Report(report_id, patient, sections, slide_id))
    caption_id, question_id = content_id("cap", field_id), content_id("mcq", field_id)
    for text_id, section in ((report_id, "microscopic description"), (caption_id, None)):
        rows["mentions"].append(
            Mention(
                content_id("mention", text_id),
                text_id,
                section,
                0,
                22,
                "Glandular architecture",
                "SSG:glandular_architecture",
                "glandular architecture",
                ("SSG:glandular_architecture",),
                "Pattern",
                "present",
            )
        )
    rows["captions"].append(
        Caption(
            caption_id,
            field_id,
            slide_id,
            patient,
            tiles["low"],
            "low",
            "architecture",
            text,
            0,
            ("SSG:glandular_architecture",),
            (feature.feature_id,),
            MADE,
        )
    )
    rows["perturbations"].append(
        Perturbation(
            content_id("pert", caption_id),
            caption_id,
            field_id,
            patient,
            "low",
            text.replace("Glandular", "Solid"),
            "replace",
            "entity",
            0,
            9,
            "Solid",
            "SSG:glandular_architecture",
            "SSG:solid_architecture",
            True,
            "truth",
            0.9,
            0.8,
            True,
            MADE,
        )
    )
    rows["questions"].append(
        Question(
            question_id,
            field_id,
            slide_id,
            patient,
            "correspondence",
            "pattern",
            "fixed",
            ("low", "high"),
            "Which architecture is seen?",
            OPTIONS,
            ("SSG:glandular_architecture", "SSG:solid_architecture"),
            number % 2,
            "The glands are lined by cells with prominent nucleoli.",
            (feature.feature_id,),
            "set_architecture",
            "correspondence/pattern/rules",
            split_of(patient),
            0,
            MADE,
        )
    )
    rows["reasoning"].append(
        Reasoning(
            content_id("reason", field_id),
            field_id,
            slide_id,
            patient,
            "What is the diagnosis?",
            "Glands.",
            (ReasoningStep("Glands suggest adenocarcinoma.", "edge_1", "starter", ("SSG:glandular_architecture",)),),
            "adenocarcinoma",
            ("edge_1",),
            ("SSG:glandular_architecture",),
            ("present",),
            MADE,
        )
    )
    for reader, family in (("boosting", "fitted"), ("forest", "certifier")):
        rows["verdicts"].append(Verdict(question_id, reader, family, 0.5, 0, number % 5, 0.0, False, 0))
    rows["review_events"].append(
        ReviewEvent(f"{number:064x}", question_id, "system", "open", "{}", "2026-01-01T00:00:00Z", None, "")
    )


def split_of(patient: str) -> str:
    """Put every sixth patient into val, every other sixth into test."""
    return {4: "val", 5: "test"}.get(int(patient[1:]) % 6, "train")


def write_candidate(folder: Path, rows: Rows, files: int = 3) -> Candidate:
    """Write rows as several files per table, the way shards lie in a shard store, and return the candidate."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[Path]] = {}
    for name, records in rows.items():
        tables[name] = []
        for at in range(min(files, max(1, len(records)))):
            path = folder / f"{at}-{name}.parquet"
            write_parquet(to_table(records[at::files], TABLES[name]), path)
            tables[name].append(path)
    lexicon = folder / "lexicon.parquet"
    write_parquet(pa.table({"text": ["glandular architecture"], "concept_id": ["SSG:glandular_architecture"]}), lexicon)
    slides = len(rows["slides"])
    patients = {row.patient_id for name in ("slides", "questions") for row in rows[name]}
    return Candidate(
        tables=tables,
        split_of_patient={patient: split_of(patient) for patient in sorted(patients)},
        stage_counts=[
            {"stage": "slides", "items_in": slides + 1, "items_out": slides, "rejected": {"unreadable": 1}},
            {"stage": "tiling", "items_in": slides + 1, "items_out": slides, "rejected": {"low_tissue": 1}},
        ],
        leak_table=[
            {
                "reader": reader,
                "cell": "correspondence/pattern/rules",
                "accuracy": 0.5,
                "low": 0.45,
                "high": 0.54,
                "n": slides,
                "verdict": "pass",
            }
            for reader in ("boosting", "forest")
        ],
        lexicon=lexicon,
        lineage={"shards": {"tiling": ["abc"]}},
        config={"seed": 7},
        code_version="test",
        sources=[{"name": "starter graph", "version": "1", "licence": "CC-BY-4.0", "sha256": "f" * 64}],
    )


def lean_candidate(folder: Path) -> Candidate:
    """Return a candidate of two patients with images and little else, quick to publish."""
    rows = sample_rows(patients=2, slides_each=1)
    kept = {name: rows[name] for name in ("slides", "fields", "tiles", "reports")}
    candidate = write_candidate(folder, {**{name: [] for name in rows}, **kept}, files=1)
    tables = {name: candidate.tables[name] for name in kept}
    splits = {"P00": "train", "P01": "test"}
    return dataclasses.replace(candidate, tables=tables, split_of_patient=splits, stage_counts=[], leak_table=[])


def sample_config() -> ReleaseConfig:
    """Return the configuration of a release."""
    return ReleaseConfig(dataset="sample", version="1.0.0", title="A sample", licence="cc0-1.0")
