"""The card's pictures: what the release holds, what leaks, what was lost on the way. Equal data give equal bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.releases.facts import Facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"train": "#3b6fb6", "val": "#e0a030", "test": "#b5475d"}
GREY = "#8a8f98"
RANGE = "#d5dae1"
CELLS_SHOWN = 16


def draw_plots(
    facts: Facts, leaks: Sequence[Mapping[str, Any]], counts: Sequence[Mapping[str, Any]]
) -> dict[str, bytes]:
    """Return PNG pictures by path in the release.

    Args:
        facts: counts of the release.
        leaks: the leak table.
        counts: the stages' counts.

    Determinism: no date, no version of the drawing library in the files.
    """
    import matplotlib as mpl

    pictures: dict[str, bytes] = {}
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        if facts["questions_by_dimension"] or facts["perturbations_by_operator"]:
            pictures["plots/composition.png"] = _composition(facts)
        if leaks:
            pictures["plots/leakage.png"] = _leakage(leaks)
        if counts:
            pictures["plots/funnel.png"] = _funnel(counts)
    return pictures


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, columns, at + 1) for at in range(columns)]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _composition(facts: Facts) -> bytes:
    figure, (left, right) = _figure(9.5, 3.6, columns=2)
    names, splits, counts = facts.crossed("questions_by_dimension")
    order = [split for split in COLOURS if split in splits]
    base = [0] * len(names)
    for split in order:
        heights = [counts.get((name, split), 0) for name in names]
        left.barh(names, heights, left=base, color=COLOURS[split], label=split)
        base = [a + b for a, b in zip(base, heights, strict=True)]
    left.invert_yaxis()
    left.set_title("questions by dimension", loc="left")
    if order:
        left.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    operators: dict[str, list[int]] = {}
    for operator, _, n, hard, _ in facts["perturbations_by_operator"]:
        total = operators.setdefault(operator, [0, 0])
        total[0], total[1] = total[0] + n, total[1] + hard
    labels = sorted(operators)
    right.barh(labels, [operators[name][0] for name in labels], color="#c9ced6", label="all")
    right.barh(labels, [operators[name][1] for name in labels], color="#b5475d", height=0.45, label="hard negatives")
    right.invert_yaxis()
    right.set_title("perturbed captions by operator", loc="left")
    right.legend(frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    return _png(figure)


def _leakage(leaks: Sequence[Mapping[str, Any]]) -> bytes:
    cells = sorted({str(row["cell"]) for row in leaks}, key=lambda cell: (cell != "all", cell.count("/"), cell))
    shown = cells[:CELLS_SHOWN]
    figure, (axes,) = _figure(9.5, 1.4 + 0.3 * len(shown))
    for at, cell in enumerate(shown):
        rows = [row for row in leaks if row["cell"] == cell]
        accuracies = [float(row["accuracy"]) for row in rows]
        axes.plot([min(accuracies), max(accuracies)], [at, at], color=RANGE, lw=7, solid_capstyle="butt", zorder=1)
        if (chance := rows[0].get("chance")) is not None:
            axes.plot([chance, chance], [at - 0.45, at + 0.45], color=GREY, lw=1.2, ls="--", zorder=2)
        strongest = max(rows, key=lambda row: float(row["accuracy"]))
        _interval(axes, strongest, at - 0.12, COLOURS["test"])
        for row in rows:
            if row.get("family") == "certifier":
                _interval(axes, row, at + 0.16, COLOURS["train"])
    axes.plot([], [], color=RANGE, lw=7, label="all readers")
    axes.plot([], [], color=COLOURS["test"], marker="o", ms=4, lw=1, label="strongest reader, interval")
    axes.plot([], [], color=COLOURS["train"], marker="o", ms=4, lw=1, label="certifier (held back), interval")
    axes.plot([], [], color=GREY, lw=1.2, ls="--", label="chance")
    axes.set_yticks(range(len(shown)), shown)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_title("accuracy of readers that see no image", loc="left")
    axes.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.4, -0.06))
    return _png(figure)


def _interval(axes: Axes, row: Mapping[str, Any], at: float, colour: str) -> None:
    axes.plot([float(row["low"]), float(row["high"])], [at, at], color=colour, lw=1, zorder=3)
    axes.plot([float(row["accuracy"])], [at], color=colour, marker="o", ms=4, zorder=4)


def _funnel(counts: Sequence[Mapping[str, Any]]) -> bytes:
    figure, (axes,) = _figure(9.5, 0.9 + 0.34 * len(counts))
    names = [str(row["stage"]) for row in counts]
    whole = [max(1, int(row["items_in"])) for row in counts]
    passed = [int(row["items_out"]) / n for row, n in zip(counts, whole, strict=True)]
    lost = [sum(row["rejected"].values()) / n for row, n in zip(counts, whole, strict=True)]
    places = range(len(names))
    axes.barh(places, passed, color="#4f9d69", label="passed on")
    axes.barh(places, lost, left=passed, color="#d9a5ad", label="rejected, with a reason")
    for at, row in enumerate(counts):
        axes.text(0.01, at, f"{int(row['items_out']):,} of {int(row['items_in']):,}", va="center", color="white")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of items in")
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    return _png(figure)
