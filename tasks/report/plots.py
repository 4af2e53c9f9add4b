"""Plots of the report, as SVG text that is equal for equal numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

INK, ACCENT, MUTED = "#3b2a4a", "#a23b72", "#9a93a3"


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _axes(width_in: float, height_in: float) -> tuple[Any, Any]:
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update({"svg.hashsalt": "slidesmith", "svg.fonttype": "none", "font.size": 10})
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=INK)
    return figure, axes


def training_curve(history: Sequence[Mapping[str, Any]]) -> str:
    """Return the loss over steps; `history` rows hold `step` and `loss`."""
    figure, axes = _axes(6.4, 2.8)
    steps = [row["step"] for row in history]
    axes.plot(steps, [row["loss"] for row in history], color=ACCENT, linewidth=1.6)
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("contrastive loss", color=INK)
    axes.set_ylim(bottom=0)
    return _svg(figure)


def accuracy_bars(rows: Sequence[tuple[str, Mapping[str, Any], float]]) -> str:
    """Return bars of accuracy with 95% intervals against chance.

    Args:
        rows: (label, {accuracy, interval}, chance level); controls without the image are drawn grey.
    """
    figure, axes = _axes(6.4, 0.42 * len(rows) + 0.9)
    for place, (label, value, chance) in enumerate(reversed(rows)):
        blind = label.endswith((", no image", ", shuffled"))
        accuracy, (low, high) = value["accuracy"], value["interval"]
        axes.barh(place, accuracy, color=MUTED if blind else ACCENT, height=0.62)
        axes.plot([low, high], [place, place], color=INK, linewidth=1.4)
        axes.plot([chance, chance], [place - 0.42, place + 0.42], color=INK, linewidth=1.2, linestyle=":")
        axes.text(max(accuracy, high) + 0.012, place, f"{accuracy:.2f}", va="center", color=INK)
    axes.set_yticks(range(len(rows)), [label for label, _, _ in reversed(rows)])
    axes.set_xlim(0, 1.08)
    axes.set_xlabel("accuracy (line: 95% interval, dots: chance)", color=INK)
    return _svg(figure)
