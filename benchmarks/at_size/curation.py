"""The story: three nights, people at the page, two versions, two models."""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from benchmarks._drill_services import BUCKET
from benchmarks.at_size import people
from benchmarks.at_size.cohort import Size, draw, is_drawn, settings, upload, write_config, write_manifest
from benchmarks.at_size.services import CONFIG, await_scheduled, schedule
from benchmarks.at_size.steps import Steps, folder_gib

STORE = ("--store", f"s3://{BUCKET}/releases", "--dataset", "at-size")
WITHDRAWN = "p07"
VERSIONS = ("1.0.0", "1.1.0")
TRAINING = {"seed": 7, "image_px": 192, "epochs": 12, "threads": 2}
SFT = {"steps": 60, "batch": 16, "lr": 5e-3, "tokens": 400}
GRPO = {"source": "reasoning", "steps": 20, "batch": 32, "generations": 8, "completion_tokens": 160, "lr": 1e-3}
CHEAP = {"images": False, "cpu": True, "precision": "fp32"}


class Curation:
    """One curation in a folder.

    Args:
        work: folder for everything.
        size: how large it is.
        steps: where commands run and are measured.
        bucket: address of the S3 server.
        endpoint: address of the model.
    """

    def __init__(self, work: Path, size: Size, steps: Steps, bucket: str, endpoint: str) -> None:
        self._work, self._size, self._steps = work, size, steps
        self._bucket, self._endpoint = bucket, endpoint
        self._inputs, self._out = work / "input", work / "out"
        told_size = {**asdict(size), "first_patients": size.first_patients}
        self._told: dict[str, Any] = {"size": told_size, "cores": os.cpu_count(), "nights": []}

    def lay_out(self) -> None:
        """Draw the slides, put them on S3, and write the first manifest."""
        self._told["load_before"] = round(os.getloadavg()[0], 1)
        self._told["date"] = datetime.datetime.now(datetime.UTC).date().isoformat()
        if not is_drawn(self._inputs):
            with self._steps.measured("draw the slides", "(demo.make)") as watch:
                watch(os.getpid())
                draw(self._inputs, self._size)
        with self._steps.measured("put them on S3", f"aws s3 cp --recursive input/slides s3://{BUCKET}/slides"):
            upload(self._inputs, self._bucket)
        manifest = write_manifest(self._inputs, "first.csv", self._size.slides)
        self._settings = settings(self._work, manifest, self._endpoint, self._size)

    def first_nights(self, server: int) -> None:
        """Curate, let people look at all that is flagged before it is repaired, and release 1.0.0."""
        write_config(CONFIG, self._settings)
        plan = self._steps.run("dry run", "run", "--config", str(CONFIG), "--dry-run", "--json")
        self._told["dry_run"] = json.loads(plan)
        self._night("first night: curate and fill the queue", server)
        self._people()
        self._settings["release"]["version"] = VERSIONS[0]
        self._settings["release"]["gate"] = {"identifying_text": "mask"}
        self._settings["screening"]["on_fail"] = "drop"
        self._night("second night: decisions in, leaks repaired, release 1.0.0", server)

    def second_version(self, server: int) -> None:
        """Add slides, withdraw a patient, change a threshold, and release 1.1.0."""
        total = self._size.slides + self._size.more
        self._settings["manifest"] = str(write_manifest(self._inputs, "second.csv", total, WITHDRAWN))
        self._settings["release"]["version"] = VERSIONS[1]
        self._settings["screening"]["min_bits"] = 0.15
        self._night("third night: 20 slides more, release 1.1.0", server)
        changed = self._steps.run("what changed", "release", "diff", *VERSIONS, *STORE, "--json")
        self._told["diff"] = json.loads(changed)
        for version in VERSIONS:
            self._steps.run(f"verify {version}", "release", "verify", "--version", version, *STORE)
            shown = self._steps.run(f"show {version}", "release", "show", "--version", version, *STORE, "--json")
            self._told[f"release {version}"] = json.loads(shown)

    def train(self) -> None:
        """Pull both versions, train and evaluate from each; tune the tiny model on the newer one."""
        for version in VERSIONS:
            folder = self._work / "pulled" / version
            self._steps.run(f"pull {version}", "release", "pull", "--version", version, *STORE, "--to", str(folder))
            self._train_from(version, folder)
        newest = self._work / "pulled" / VERSIONS[-1]
        self._told["withdrawn_rows"] = rows_of(newest, WITHDRAWN)
        self._told["kept"] = kept(*(self._work / "pulled" / version for version in VERSIONS))
        model = str(self._work / "tiny")
        for verb, asked in (("sft", SFT), ("grpo", GRPO)):
            file = self._work / f"{verb}.yaml"
            write_config(file, {"model": model, **CHEAP, **asked})
            out = str(self._work / verb)
            arguments = ("train", verb, str(newest), "--out", out, "--config", str(file), "--json")
            said = json.loads(self._steps.run(f"{verb.upper()} of the tiny model", *arguments))
            model = said["model"]
            self._told[verb] = {key: said[key] for key in ("rows", "left_out", "loss", "reward") if key in said}

    def _train_from(self, version: str, release: Path) -> None:
        file, out = self._work / "training.yaml", self._work / "trained" / version
        write_config(file, TRAINING)
        self._steps.run(
            f"train from {version}", "train", "contrastive", str(release), "--out", str(out), "--config", str(file)
        )
        checkpoint = next(out.glob("*.pt"), out)
        found = out / "evaluation.json"
        self._steps.run(f"evaluate {version}", "evaluate", str(release), str(checkpoint), "--out", str(found))
        self._told[f"evaluation {version}"] = json.loads(found.read_text())

    def told(self) -> dict[str, Any]:
        """Return everything there is to tell."""
        parts = ("work", "review", "store", "runs")
        disk = {name: folder_gib(self._out / name) for name in parts if (self._out / name).is_dir()}
        disk["input"] = folder_gib(self._inputs)
        disk["report.html"] = (self._out / "report.html").stat().st_size / 2**30
        return {**self._told, "disk_gib": disk, "steps": [asdict(step) for step in self._steps.done]}

    def _night(self, name: str, server: int) -> None:
        write_config(CONFIG, self._settings)
        with self._steps.measured(name, "") as watch:
            watch(server)
            begun = datetime.datetime.now(datetime.UTC).isoformat()
            self._steps.done[-1].command = schedule(self._steps.environment)
            run = await_scheduled(begun)
        self._steps.done[-1].wall_s = run["total_run_time"]
        said = self._steps.run("what it did", "runs", "--out", str(self._out), "--json", "--sql", _LAST)
        shard = max((self._out / "work" / "screening").iterdir(), key=lambda folder: folder.stat().st_mtime)
        found = json.loads((shard / "screening.json").read_text())
        rounds = [{"summary": one["summary"]} for one in found["rounds"]]
        screening = {"rounds": rounds, "repairs": found["repairs"]}
        outcome = json.loads((self._out / "run.json").read_text())
        rows = json.loads(said)["rows"]
        self._told["nights"].append({"name": name, "stages": rows, "screening": screening, "outcome": outcome})

    def _people(self) -> None:
        for name, role in people.PEOPLE.items():
            arguments = ("review", "users", "add", name, "--role", role, "--out", str(self._out))
            self._steps.run(f"add {name}", *arguments, stdin=f"{people.PASSWORD}\n{people.PASSWORD}\n")
        command = "slidesmith review serve --out work/out"
        with (
            self._steps.measured("two readers and an adjudicator", command) as watch,
            people.page(self._out, self._inputs, self._steps.environment) as (url, process),
        ):
            watch(process)
            played = people.play(url, self._out / "review" / "desk.sqlite", self._work)
        status = json.loads(self._steps.run("review status", "review", "status", "--out", str(self._out), "--json"))
        said = json.loads(self._steps.run("agreement", "review", "agreement", "--out", str(self._out), "--json"))
        self._told["review"] = {
            "flagged": status["flagged"],
            "audited": status["audited"],
            "events": status["events"],
            "played": {
                **played.counts(),
                "both": played.both(),
                "differ": played.differ(),
                "kappa": played.kappa(),
                "settled": played.settled,
            },
            "right": sum(played.right.values()) / max(1, len(played.right)),
            **said,
        }


_LAST = (
    "SELECT s.* EXCLUDE run_id FROM stages s JOIN "
    "(SELECT run_id FROM runs WHERE status = 'completed' ORDER BY started_at DESC LIMIT 1) USING (run_id)"
)


def rows_of(release: Path, patient: str) -> int:
    """Return how many rows of all tables of a release belong to a patient."""
    found = 0
    for folder in sorted((release / "data").iterdir()):
        table = ds.dataset(folder, format="parquet")
        if "patient_id" in table.schema.names:
            found += table.count_rows(filter=ds.field("patient_id") == patient)
    return found


def kept(older: Path, newer: Path) -> dict[str, int]:
    """Return how many counterbalanced questions of patients of both releases the older has, and the newer still."""
    columns = ["question_id", "patient_id", "option_set_id"]
    rows = [ds.dataset(release / "data" / "questions").to_table(columns).to_pylist() for release in (older, newer)]
    patients = {row["patient_id"] for row in rows[1]}
    asked = [
        {row["question_id"] for row in table if row["option_set_id"] and row["patient_id"] in patients}
        for table in rows
    ]
    return {"older": len(asked[0]), "both": len(asked[0] & asked[1])}
