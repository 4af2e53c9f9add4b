"""What must hold of a curation at size, checked on what it told."""

from __future__ import annotations

from typing import Any

from benchmarks._claims import Claim, claim

DECIDED = 200


def claims_of(told: dict[str, Any]) -> list[Claim]:
    """Return the claims; those of size hold for the whole run alone."""
    review, played = told["review"], told["review"]["played"]
    leaking = [
        f"{night['name']}: {stage}"
        for night in told["nights"]
        for stage, counts in night["outcome"]["stages"].items()
        if counts["in"] != counts["out"] + sum(counts["rejected"].values())
    ]
    kappa = next(
        row["value"]
        for row in review["agreement"]
        if (row["dimension"], row["what"], row["measure"]) == ("all", "decision", "Cohen kappa")
    )
    last = {row["stage"]: row for row in told["nights"][-1]["stages"]}
    new = told["size"]["more"]
    repairs = len(told["nights"][1]["screening"]["repairs"])
    kept = told["kept"]["both"] / max(1, told["kept"]["older"])
    return [
        claim("stages where more goes in than comes out or is rejected", len(leaking), "stages", "0", not leaking),
        claim("flagged items decided", review["flagged"], "items", f">= {DECIDED}", review["flagged"] >= DECIDED),
        claim("items where readers differ, not settled", played["differ"] - played["settled"], "items", "0",
              played["differ"] == played["settled"]),
        claim("Cohen's kappa that the page tells, less what was played", kappa - played["kappa"], "", "0 +- 0.0001",
              abs(kappa - played["kappa"]) <= 1e-4),
        claim("slides tiled anew in the third night", last["tiling"]["made"], "slides", f"{new}",
              last["tiling"]["made"] == new),
        claim("rows of the withdrawn patient in 1.1.0", told["withdrawn_rows"], "rows", "0",
              told["withdrawn_rows"] == 0),
        claim("questions of patients of both versions that stay", kept, "share", ">= 0.8", kept >= 0.8),
        claim("repairs of leaking cells in the second night", repairs, "repairs", ">= 1", repairs >= 1),
        claim("certifier, second night after repair", _certifier(told, 1), "", "pass", _certifier(told, 1) == "pass"),
        claim("certifier, third night", _certifier(told, -1), "", "pass", _certifier(told, -1) == "pass"),
        *(_sees(told, version) for version in ("1.0.0", "1.1.0")),
    ]  # fmt: skip


def _certifier(told: dict[str, Any], night: int) -> str:
    return str(told["nights"][night]["screening"]["rounds"][-1]["summary"]["certifier_verdict"])


def _sees(told: dict[str, Any], version: str) -> Claim:
    scores = told[f"evaluation {version}"]
    seen, blind = scores["pairwise"]["accuracy"], scores["blind"]["pairwise"]["accuracy"]
    return claim(f"pairwise with the image less without, trained from {version}", seen - blind, "", "> 0", seen > blind)
