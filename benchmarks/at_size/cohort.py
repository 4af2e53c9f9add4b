"""The cohort: synthetic slides of five organs and a real one, on S3; manifests and configuration of every night."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks._drill_services import ACCESS, BUCKET
from benchmarks._tiny_language_model import write_tiny_qwen2
from benchmarks.at_size.steps import ROOT
from demo.make import SIZE_PX0, make_sized
from demo.plan import plan_demo
from kg.sources import register

SHARED = ROOT.parent / "shared"
UNSCREENED = {"identifying_text": "mask", "require_screening": False}
"""Bounds of the gate in the first night, which keeps what leaks for people to see."""
REAL = "cmu-1-small-region.svs"
REPORTS = SHARED / "text" / "pathreasoner_diagnosis_example.json"
SEED = 11


@dataclass(frozen=True)
class Size:
    """How large: slides of the first nights, slides that come later, patients of both, organs, fields of a slide."""

    slides: int = 200
    more: int = 20
    patients: int = 110
    organs: int = 5
    fields: int = 4

    @property
    def first_patients(self) -> int:
        """Patients of the first nights; every patient has as many slides."""
        return self.patients * self.slides // (self.slides + self.more)


QUICK = Size(slides=20, more=4, patients=12, organs=3, fields=12)


def draw(folder: Path, size: Size) -> None:
    """Draw all synthetic slides, and lay the real slide and its reports beside them."""
    plans = plan_demo(size.slides + size.more, size.patients, SEED, size.organs)
    make_sized(folder, plans, SIZE_PX0, SEED)
    shutil.copy(SHARED / "slides" / REAL, folder / "slides" / REAL)
    shutil.copy(REPORTS, folder / "real-reports.json")


def is_drawn(folder: Path) -> bool:
    """Return whether an earlier run into the folder has drawn everything: the reports are laid last."""
    return (folder / "real-reports.json").is_file()


def check_inputs() -> None:
    """Look for what everything needs before an hour is spent without it.

    Raises:
        SystemExit: the real inputs or the browser are missing.
    """
    missing = [str(path.relative_to(ROOT.parent)) for path in (SHARED / "slides" / REAL, REPORTS) if not path.is_file()]
    missing += [] if shutil.which("chromium") else ["Debian's package chromium"]
    if missing:
        raise SystemExit(f"at_size needs {', '.join(missing)}")


def upload(folder: Path, address: str) -> None:
    """Put all slides into the bucket, below `slides/`."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name=ACCESS["AWS_DEFAULT_REGION"],
        aws_access_key_id=ACCESS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ACCESS["AWS_SECRET_ACCESS_KEY"],
    )
    for path in sorted((folder / "slides").glob("*.svs")):
        client.upload_file(str(path), BUCKET, f"slides/{path.name}")


def write_manifest(folder: Path, name: str, slides: int, withdrawn: str | None = None) -> Path:
    """Write the manifest of a night: the first slides, the real one, nobody who has withdrawn."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in list(csv.DictReader(stream))[:slides] if row["patient_id"] != withdrawn]
    real = dict.fromkeys(rows[0], "") | {"path": f"slides/{REAL}", "patient_id": "real", "organ": "bladder"}
    rows.append(real | {"stain": "H&E", "licence": "CC0-1.0", "report": "real-reports.json"})
    for row in rows:
        row["path"] = f"s3://{BUCKET}/{row['path']}"
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def tiny_model(folder: Path) -> Path:
    """Write a small random language model: the loading code is that of any model in a folder."""
    texts = json.dumps(json.loads(REPORTS.read_text()))
    return folder if folder.is_dir() else write_tiny_qwen2(folder, [texts], words=1500, width=64)


def settings(work: Path, manifest: Path, endpoint: str, size: Size) -> dict[str, Any]:
    """Return the configuration of the first night."""
    reached = {"base_url": endpoint, "model": "scripted", "concurrency": 8, "prices": {"input": 0.15, "output": 0.6}}
    local = {"model": str(tiny_model(work / "tiny")), "device": "cpu"}
    known = sorted(name for name, source in register().items() if (SHARED / "kg" / source.file).is_file())
    return {
        "slides": str(work / "input"),
        "manifest": str(manifest),
        "out": str(work / "out"),
        "shards": f"s3://{BUCKET}/shards",
        "releases": f"s3://{BUCKET}/releases",
        "runner": {"kind": "dask", "workers": 2},
        "graph": {"sources_dir": str(SHARED / "kg"), "sources": known},
        "tiling": {
            "scales_mpp": {"low": 5.0, "mid": 2.0, "high": 0.5},
            "tile_px": 192,
            "centres": {"kind": "sampled", "max_fields_per_slide": size.fields, "seed": SEED},
        },
        "generation": {
            "generator": "openai",
            "endpoint": reached,
            "judge_min_score": 3,
            "per_item_share": 0.2,
            "seed": SEED,
        },
        "screening": {
            "language_model": local,
            "lora": {**local, "epochs": 1},
            "endpoint": {"endpoint": reached, "modes": ["letters"]},
            "writer": reached,
            "min_bits": 0.1,
            "on_fail": "keep",
        },
        "review": {"undecided": "hold", "audit_items": 60, "audit_texts": 10, "second_reader_share": 0.5},
        "release": {"dataset": "at-size", "version": "0.9.0", "gate": UNSCREENED},
    }


def write_config(path: Path, plain: dict[str, Any]) -> None:
    """Write a configuration."""
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
