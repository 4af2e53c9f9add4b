"""`docs/at_size.md`, written from what was kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.at_size.claims import claims_of
from benchmarks.at_size.people import RIGHT
from benchmarks.at_size.steps import ROOT

RESULT = ROOT / "benchmarks" / "at_size" / "result.json"
PAGE = ROOT / "docs" / "at_size.md"
Told = dict[str, Any]


def write_page() -> None:
    """Write the page from the result."""
    told = json.loads(RESULT.read_text(encoding="utf-8"))
    parts = (_head(told), _claims(told), _nights(told), _leaks(told), _people(told), _versions(told), _cost(told))
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a Markdown table; numbers stand to the right."""
    found = [[_shown(cell) for cell in row] for row in rows]
    numbers = [all(cell[:1].isdigit() or cell in {"", "-"} for cell in column) for column in zip(*found, strict=True)]
    rule = ["---:" if number else "---" for number in (numbers or [False] * len(head))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (list(head), rule, *found)) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _head(told: Told) -> str:
    size = told["size"]
    return f"""# One curation at size
Written by `python -m benchmarks.at_size` from what it did; edited by nobody. On {told["date"]}, {told["cores"]} cores,
load {told["load_before"]} before it began.

{size["slides"]} synthetic slides of {size["first_patients"]} patients and {size["organs"]} organs, and one real slide,
from an empty store: a Prefect deployment that its schedule starts on a worker, slides, shards and releases on S3 (moto
on loopback), tiling on Dask, every ontology of `kg/sources.yaml` that is at hand, rules and a language model behind an
endpoint (a scripted one), screening by the fitted readers, a local language model, one fitted out of fold, one behind
the endpoint (tiny and random, or scripted: the code is that of large ones, their judgement is not), two readers
and an adjudicator at the annotators' page in a browser (played by a script with known disagreements), release 1.0.0;
then {size["more"]} slides more, a patient withdrawn, a threshold changed, release 1.1.0; a model trained from each.

To repeat it, with the real inputs beside the checkout, Debian's chromium, and port 4200 free:

```
make bench BENCH_FLAGS="--tables"       # installs what is needed
.venv/bin/python -m benchmarks.at_size
```
"""


def _claims(told: Told) -> str:
    rows = [(row["claim"], f"{_shown(row['value'])} {row['unit']}", row["goal"], _mark(row)) for row in claims_of(told)]
    return "## What had to hold\n\n" + table(("what", "found", "goal", ""), rows)


def _mark(row: Told) -> str:
    return "" if row["goal"] == "-" else "reached" if row["reached"] else "**not reached**"


_UNITS = """What goes in and comes out is counted in each stage's own unit: slides, fields, reports, features, texts
(captions, negatives, reasoning samples), fields in a dimension (a field may be asked several questions there),
questions, items. What a night found done is not counted again.
"""


def _nights(told: Told) -> str:
    parts = ["## Three nights, stage by stage\n", _UNITS]
    for night in told["nights"]:
        rows = [
            (s["stage"], s["made"], s["found"], s["items_in"], s["items_out"], s["rejected"], s["work_s"])
            for s in night["stages"]
        ]
        rejected = {
            f"{stage}: {reason}": number
            for stage, counts in night["outcome"]["stages"].items()
            for reason, number in counts["rejected"].items()
        }
        parts.append(f"### {night['name'][0].upper()}{night['name'][1:]}\n")
        parts.append(table(("stage", "shards made", "found done", "in", "out", "rejected", "s of work"), rows))
        parts.append(f"Rejected: {', '.join(f'{name} {number:,}' for name, number in rejected.items())}.\n")
    return "\n".join(parts)


def _leaks(told: Told) -> str:
    first, second, last = (night["screening"]["rounds"] for night in told["nights"])
    rounds = (("first night, nothing repaired", first[0]), ("second, repaired", second[-1]), ("third", last[-1]))
    rows = []
    for name, found in rounds:
        said = found["summary"]
        cells = ", ".join(f"{number} {verdict}" for verdict, number in said["cells"].items())
        strongest = f"{said['strongest_reader']} {said['strongest_accuracy']:.3f}"
        certified = f"{said['certifier']} {said['certifier_accuracy']:.3f}: {said['certifier_verdict']}"
        rows.append((name, said["items"], cells, said["flagged"], strongest, certified))
    head = ("when", "questions", "cells", "flagged", "strongest reader (chance .25)", "certifier")
    repairs = [
        (night["name"].partition(":")[0], row["cell"], row["round"], row["operation"], ", ".join(row["cues"][:2]))
        for night in told["nights"]
        for row in night["screening"]["repairs"]
    ]
    told_of = table(("night", "cell", "round", "repair", "by its cues"), repairs)
    return "## What text alone tells\n\n" + table(head, rows) + "\n" + told_of


def _people(told: Told) -> str:
    review = told["review"]
    played = review["played"]
    overall = [row for row in review["agreement"] if row["dimension"] == "all" and row["value"] is not None]
    rows = [
        (row["what"], row["measure"], row["value"], f"{row['low']} to {row['high']}", row["items"]) for row in overall
    ]
    names = ("dimension", "sample", "accuracy", "low", "high", "chance", "answers")
    base = [[row[name] for name in names] for row in review["human_baseline"]]
    return f"""## People
{review["flagged"]:,} flagged items and {review["audited"]:,} drawn at random; {review["events"]:,} events. Played:
{played["accept"]:,} times accept, {played["reject"]:,} times reject; both readers read {played["both"]:,} items and
differed on {played["differ"]:,}; the adjudicator settled {played["settled"]:,}. Blind answers were right
{review["right"]:.1%} of the time.

{table(("on", "measure", "value", "95% interval", "items"), rows)}
The human baseline, as the page tells it (here a script that knows the keys answers right {RIGHT:.0%} of the time):

{table(("dimension", "sample", "right", "from", "to (95%)", "chance", "blind answers"), base)}"""


def _versions(told: Told) -> str:
    tables = told["diff"]["tables"]
    changed = [
        (name, *(sum(_numbers(row.get(key))) for key in ("added", "removed", "changed")))
        for name, row in tables.items()
    ]
    scores = [
        (version, *(told[f"evaluation {version}"][what]["accuracy"] for what in ("pairwise", "multiple_choice")),
         told[f"evaluation {version}"]["blind"]["multiple_choice"]["accuracy"])
        for version in ("1.0.0", "1.1.0")
    ]  # fmt: skip
    tuned = [
        (verb.upper(), name, told[verb][name]["first"], told[verb][name]["last"])
        for verb, name in (("sft", "loss"), ("grpo", "reward"))
    ]
    return f"""## Two versions
{table(("table", "rows added", "removed", "changed"), changed)}
{table(("trained from", "pairwise", "4-way", "4-way, no image"), scores)}
{table(("tiny model", "measure", "first step", "last step"), tuned)}"""


def _numbers(found: Any) -> list[int]:
    if isinstance(found, dict):
        return [number for value in found.values() for number in _numbers(value)]
    return [found] if isinstance(found, int) else []


def _cost(told: Told) -> str:
    steps = [(s["name"], s["wall_s"], s["cpu_s"], s["peak_gib"], f"`{s['command']}`") for s in told["steps"]]
    disk = [(name, gib) for name, gib in told["disk_gib"].items()]
    return f"""## What it cost
Wall time of a night is that of its run; CPU time and memory (of all its processes, what they alone hold) include server
and worker.

{table(("step", "s", "CPU-s", "GiB", "command"), steps)}
{table(("on disk", "GiB"), disk)}"""
