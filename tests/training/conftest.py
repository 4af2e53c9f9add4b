"""A miniature release: fields whose drawn attributes a small encoder can see, in the layout that releases have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg

from kg.build import build_graph
from kg.link import Lexicon
from kg.sources import starter_source
from schemas.arrow import to_table
from schemas.ids import content_id
from schemas.records import TABLES, Caption, Field, Perturbation, Provenance, Question, Reasoning, ReasoningStep, Tile
from schemas.records.shared import SCALES

VALUES = {
    "low": ("glandular", "solid", "papillary"),
    "mid": ("sparse", "dense"),
    "high": ("small", "enlarged"),
}
WORDS = {
    "low": "{} architecture at low magnification",
    "mid": "{} inflammation at medium magnification",
    "high": "{} nuclei at high magnification",
}
MADE = Provenance(generator="rules")
SIDE_PX = 64
Finding = dict[str, str]
STEPS = ("Glands are seen.", "Glands speak for adenocarcinoma.", "No necrosis is seen.")


def draw(scale: str, value: str, draws: np.random.Generator) -> bytes:
    """One tile on which the value can be seen: stripe direction, number of dots, size of discs."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    image = np.full((SIDE_PX, SIDE_PX, 3), (230, 190, 215), dtype=float)
    if scale == "low":
        phase = draws.uniform(0, 6.28)
        wave = {"glandular": np.hypot(x - 32, y - 32), "solid": 0 * x, "papillary": x + y}[value]
        image -= 60 * (np.sin(wave / 2.5 + phase) > 0)[..., None]
    else:
        count, radius = {"sparse": (6, 2), "dense": (40, 2), "small": (12, 3), "enlarged": (12, 7)}[value]
        for centre_x, centre_y in draws.integers(4, SIDE_PX - 4, size=(count, 2)):
            image[np.hypot(x - centre_x, y - centre_y) <= radius] = (70, 40, 120)
    noisy = (image + draws.normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8)
    return bytes(simplejpeg.encode_jpeg(noisy, quality=85))


def tiles_of(field_id: str, slide_id: str, finding: Finding, draws: np.random.Generator) -> list[Tile]:
    return [
        Tile(
            tile_id=f"tile_{field_id}_{scale}", slide_id=slide_id, field_id=field_id, scale=scale, mpp=0.5,
            x_px0=0, y_px0=0, box_width_px0=64, box_height_px0=64, width_px=SIDE_PX, height_px=SIDE_PX,
            tissue_fraction=1.0, inside_fraction=1.0, focus=100.0, pen_fraction=0.0, fold_fraction=0.0, reader="native",
            image=draw(scale, finding[scale], draws),
        )
        for scale in SCALES
    ]  # fmt: skip


def captions_of(field_id: str, slide_id: str, patient_id: str, finding: Finding) -> list[Caption]:
    parts = {scale: WORDS[scale].format(finding[scale]) for scale in SCALES}
    wordings: list[Any] = [("architecture", "low"), ("compartment", "mid"), ("cytology", "high"), ("full", None)]
    return [
        Caption(
            caption_id=content_id("cap", field_id, level), field_id=field_id, slide_id=slide_id, patient_id=patient_id,
            tile_id=None, scale=scale, level=level, text=parts[scale] if scale else "; ".join(parts.values()),
            phrasing=0, concept_ids=tuple(f"T:{finding[part]}" for part in ([scale] if scale else SCALES)),
            feature_ids=(), provenance=MADE,
        )
        for level, scale in wordings
    ]  # fmt: skip


def perturbations_of(caption: Caption, finding: Finding) -> list[Perturbation]:
    rows = []
    for scale in SCALES:
        word = finding[scale]
        if word not in caption.text:
            continue
        start = caption.text.index(word)
        for other in VALUES[scale]:
            if other != word:
                text = caption.text.replace(word, other)
                rows.append(
                    Perturbation(
                        perturbation_id=content_id("pert", caption.caption_id, other), caption_id=caption.caption_id,
                        field_id=caption.field_id, patient_id=caption.patient_id, scale=caption.scale, text=text,
                        operator="replace" if scale == "low" else "intensify",
                        role="entity" if scale == "low" else "descriptor", start=start, end=start + len(word),
                        replacement=other, from_concept=f"T:{word}", to_concept=f"T:{other}", certified_false=True,
                        certificate="truth", edit_similarity=0.9, semantic_similarity=0.9, hard_negative=True,
                        provenance=MADE, mirrored=scale != "low" and caption.level != "full",
                    )
                )  # fmt: skip
    return rows


def question_of(field_id: str, slide_id: str, patient_id: str, finding: Finding, split: str) -> Question:
    options = tuple(f"{mid} inflammation with {high} nuclei" for mid in VALUES["mid"] for high in VALUES["high"])
    answer = options.index(f"{finding['mid']} inflammation with {finding['high']} nuclei")
    return Question(
        question_id=content_id("mcq", field_id), field_id=field_id, slide_id=slide_id, patient_id=patient_id,
        dimension="explanation", template="pair", template_kind="fixed", scales=("mid", "high"),
        question="Which pair of findings does this field show?", options=options,
        option_concepts=tuple("" for _ in options), answer_index=answer, rationale="", evidence_ids=(),
        option_set_id="set", cell="explanation/pair/rules", split=split, round=0, provenance=MADE,
    )  # fmt: skip


def write(folder: Path, table: str, split: str, rows: Iterable[Any], row_group: int) -> None:
    place = folder / "data" / table
    place.mkdir(parents=True, exist_ok=True)
    data = to_table(rows, TABLES[table])
    if "split" not in data.column_names:
        import pyarrow as pa

        data = data.append_column("split", pa.array([split] * data.num_rows))
    pq.write_table(data, place / f"{split}-00000-of-00001.parquet", row_group_size=row_group, compression="NONE")


def make_release(folder: Path, fields: int = 240, row_group: int = 256, blank_images: bool = False) -> Path:
    """Write a release of 12 patients; every combination of values is equally frequent in every split."""
    draws = np.random.default_rng(7)
    for split, share, patients in (("train", 0.7, range(8)), ("val", 0.1, range(8, 10)), ("test", 0.2, range(10, 18))):
        rows: dict[str, list[Any]] = {
            name: [] for name in ("tiles", "fields", "captions", "perturbations", "questions")
        }
        for number in range(int(fields * share)):
            combination = number % 12
            finding = {
                "low": VALUES["low"][combination % 3],
                "mid": VALUES["mid"][combination // 3 % 2],
                "high": VALUES["high"][combination // 6],
            }
            field_id, patient = f"field_{split}_{number:04d}", f"p{patients[number // 12 % len(patients)]:02d}"
            slide = f"slide_{patient}"
            shown = {"low": "solid", "mid": "sparse", "high": "small"} if blank_images else finding
            tiles = tiles_of(field_id, slide, shown, draws)
            rows["tiles"] += tiles
            rows["fields"].append(
                Field(field_id, slide, patient, 0, 0, tiles[0].tile_id, tiles[1].tile_id, tiles[2].tile_id, "colon")
            )
            captions = captions_of(field_id, slide, patient, finding)
            rows["captions"] += captions
            for caption in captions:
                rows["perturbations"] += perturbations_of(caption, finding)
            rows["questions"].append(question_of(field_id, slide, patient, finding, split))
        for table, records in rows.items():
            write(folder, table, split, records, row_group if table == "tiles" else 1 << 16)
    manifest = {"fingerprint": content_id("mini", fields, row_group, blank_images)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release whose images show what its texts say."""
    return make_release(tmp_path_factory.mktemp("releases") / "miniature")


@pytest.fixture(scope="session")
def make_miniature(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A maker of miniature releases with other settings."""

    def make(**settings: Any) -> Path:
        return make_release(tmp_path_factory.mktemp("releases") / "made", **settings)

    return make


@pytest.fixture(scope="session")
def reasoned(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature release with reasoning samples and the lexicon of the starter graph."""
    release = tmp_path_factory.mktemp("reasoned") / "release"
    shutil.copytree(miniature, release)
    rows = [
        Reasoning(
            sample_id=f"reason_{number}", field_id=f"field_train_{number:04d}", slide_id="s", patient_id="p",
            prompt="What is it?", observe="Glands.", think=tuple(ReasoningStep(step, None, None) for step in STEPS),
            answer="adenocarcinoma", kg_path=(), concept_ids=(), concept_status=(), provenance=Provenance("rules"),
        )
        for number in range(8)
    ]  # fmt: skip
    Lexicon.from_graph(build_graph([starter_source()]).graph).save(release / "lexicon.parquet")
    (release / "data" / "reasoning").mkdir()
    pq.write_table(to_table(rows, Reasoning), release / "data" / "reasoning" / "train-00000-of-00001.parquet")
    return release
