"""An evaluation as one HTML page: every accuracy as a point with its interval, blind controls beside it."""

from __future__ import annotations

from html import escape
from typing import Any

WIDTH_PX, ROW_PX, LEFT_PX, RIGHT_PX = 860, 22, 250, 130
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#1b1f24}"
    "h1{font-size:1.5em}h2{font-size:1.1em;margin:1.6em 0 .3em}table{border-collapse:collapse}"
    "td,th{padding:.2em .8em .2em 0;text-align:left;font-variant-numeric:tabular-nums}.bad{color:#b3261e}"
    "svg text{font-size:13px;fill:#1b1f24}"
)
_SEEN, _BLIND = "#1f5fbf", "#8a8f98"
Row = tuple[str, dict[str, Any], str]
"""Label, report of an accuracy, colour."""


def evaluation_page(scores: dict[str, Any]) -> str:
    """Return the page of an evaluation, as `evaluate` or `Asking.report` give it; no script, no outside resource."""
    blind, shuffled = scores["blind"], scores["blind"]["shuffled"]
    model = f" of {escape(scores['model'])}" if "model" in scores else ""
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Evaluation</title>",
        f"<style>{_STYLE}</style><h1>Evaluation{model} on the {scores['split']} split</h1>",
        f"<p>{scores['fields']} fields of {scores['patients']} patients; intervals are 95%, clustered by patient. "
        "The dashed line is chance; grey is the same model without the image or with another patient's.</p>",
        _verdict(scores["beats_blind"]),
    ]
    for name, title, chance in (
        ("pairwise", "Hard-negative pairs", 0.5),
        ("multiple_choice", "Questions", scores["multiple_choice"]["chance"]),
    ):
        groups = scores[name].get("by_operator_role") or scores[name].get("by_dimension") or {}
        rows: list[Row] = [("all", scores[name], _SEEN)]
        if "circular" in scores[name]:
            rows.append(("all, circular", scores[name]["circular"], _SEEN))
        rows += [("no image", blind[name], _BLIND), ("shuffled images", shuffled[name], _BLIND)]
        if scores[name].get("mirrored"):
            rows += _beside("mirrored pairs", *(table[name]["mirrored"] for table in (scores, blind, shuffled)))
        rows += [(group, report, _SEEN) for group, report in groups.items()]
        parts.append(f"<h2>{title}</h2>{_plot(rows, chance)}")
    for attribute, row in scores.get("zero_shot", {}).items():
        rows = _beside(f"{row['classes']} values", row, row["blind"], row["shuffled"])
        parts.append(f"<h2>Zero-shot: {escape(attribute.replace('_', ' '))}</h2>{_plot(rows, row['chance'])}")
    parts += _recall(scores.get("retrieval") or {})
    if "unusable" in scores:
        counts = ", ".join(f"{name} {scores['unusable'][name]}" for name in ("image", "blind", "shuffled"))
        parts.append(f"<p>Answers that named no option and count as wrong: {counts}.</p>")
    return "\n".join(parts) + "\n"


def _verdict(compared: dict[str, Any]) -> str:
    rows = []
    for name in ("pairwise", "multiple_choice"):
        row = compared[name]
        said = "beats" if row["beats"] else "does <b>not</b> beat"
        low, high = row["interval"]
        gain = f"{row['difference']:+.3f}, {low:+.3f} to {high:+.3f}, clustered by {row['clustered_by']}"
        kind = "" if row["beats"] else " class='bad'"
        rows.append(f"<li{kind}>{name.replace('_', ' ')}: the model {said} its blind control ({gain})</li>")
    return f"<ul>{''.join(rows)}</ul>"


def _plot(rows: list[Row], chance: float | None) -> str:
    """Return an SVG of points with intervals between 0 and 1."""
    span, height = WIDTH_PX - LEFT_PX - RIGHT_PX, ROW_PX * len(rows) + 24

    def x(value: float) -> str:
        return f"{LEFT_PX + span * value:.1f}"

    parts = [f"<svg width='{WIDTH_PX}' height='{height}' viewBox='0 0 {WIDTH_PX} {height}' role='img'>"]
    for mark in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f"<line x1='{x(mark)}' x2='{x(mark)}' y1='0' y2='{height - 20}' stroke='#e3e5e8'/>")
        parts.append(f"<text x='{x(mark)}' y='{height - 5}' text-anchor='middle'>{mark:g}</text>")
    if chance is not None:
        dashes = "stroke='#b3261e' stroke-dasharray='4 3'"
        parts.append(f"<line x1='{x(chance)}' x2='{x(chance)}' y1='0' y2='{height - 20}' {dashes}/>")
    for number, (label, report, colour) in enumerate(rows):
        y = ROW_PX * number + ROW_PX / 2
        (low, high), value = report["interval"], report["accuracy"]
        parts.append(f"<text x='{LEFT_PX - 10}' y='{y + 4}' text-anchor='end'>{escape(label)}</text>")
        parts.append(f"<line x1='{x(low)}' x2='{x(high)}' y1='{y}' y2='{y}' stroke='{colour}' stroke-width='3'/>")
        parts.append(f"<circle cx='{x(value)}' cy='{y}' r='4.5' fill='{colour}'/>")
        parts.append(f"<text x='{WIDTH_PX - RIGHT_PX + 12}' y='{y + 4}'>{value:.3f}, n {report['n']}</text>")
    return "".join([*parts, "</svg>"])


def _beside(label: str, seen: dict[str, Any], blind: dict[str, Any], shuffled: dict[str, Any]) -> list[Row]:
    """Return the rows of a measure and of its two controls."""
    return [
        (label, seen, _SEEN),
        (f"{label}: no image", blind, _BLIND),
        (f"{label}: shuffled", shuffled, _BLIND),
    ]


def _recall(retrieval: dict[str, Any]) -> list[str]:
    parts = []
    for direction in ("image_to_text", "text_to_image"):
        rows: list[Row] = []
        for depth, row in retrieval.get(direction, {}).get("at", {}).items():
            rows += _beside(f"recall at {depth}", row["image"], row["blind"], row["shuffled"])
            rows.append(("a random order", {"accuracy": row["chance"], "interval": [row["chance"]] * 2,
                         "n": row["image"]["n"]}, _BLIND))  # fmt: skip
        if rows:
            counts = f"{retrieval['images']} images, {retrieval['texts']} texts"
            title = f"Retrieval, {direction.replace('_', ' ')}"
            parts.append(f"<h2>{title}</h2><p>{counts}</p>{_plot(rows, None)}")
    return parts
