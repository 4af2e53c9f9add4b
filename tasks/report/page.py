"""Render a report's contents as one HTML page without outside references."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from schemas.records import Caption, Perturbation
from tasks.report.contents import Contents

_TEMPLATES = Path(__file__).parent / "templates"
_PAIRWISE_CHANCE = 0.5


def render(contents: Contents) -> str:
    """Return the page as HTML text; every value is escaped, every image stands inside."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters["data_uri"] = _data_uri
    environment.filters["words"] = lambda name: str(name).replace("_", " ")
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}%"
    environment.globals["change"] = _change
    return environment.get_template("report.html.j2").render(
        contents=contents, plots=_plots(contents), worked=max(sum(row.work_s for row in contents.times), 1e-9)
    )


def _data_uri(image: bytes) -> str:
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _change(caption: Caption, perturbation: Perturbation) -> dict[str, str]:
    text = caption.text
    return {
        "before": text[: perturbation.start],
        "removed": text[perturbation.start : perturbation.end],
        "inserted": perturbation.replacement,
        "after": text[perturbation.end :],
    }


def _plots(contents: Contents) -> dict[str, str]:
    from tasks.report.plots import accuracy_bars, training_curve

    plots = {}
    if contents.history:
        plots["curve"] = training_curve(contents.history)
    if contents.evaluation:
        plots["accuracy"] = accuracy_bars(_accuracy_rows(contents.evaluation))
    return plots


def _accuracy_rows(evaluation: Any) -> list[tuple[str, Any, float]]:
    rows = []
    for measure in ("pairwise", "multiple_choice"):
        chance = evaluation[measure].get("chance", _PAIRWISE_CHANCE)
        inputs = {"": evaluation, ", no image": evaluation["blind"], ", shuffled": evaluation["blind"]["shuffled"]}
        rows += [(measure.replace("_", " ") + suffix, scores[measure], chance) for suffix, scores in inputs.items()]
    return rows
