"""Why items are not passed on: a closed list, so that funnels add up and nothing is lost silently."""

from __future__ import annotations

from typing import Literal

Stage = Literal["slides", "tiling", "reports", "features", "generation", "screening", "review", "release", "evaluation"]

Reason = Literal[
    # slides
    "missing_file",
    "unreadable",
    "not_a_slide",
    "missing_mpp",
    "mpp_out_of_range",
    "no_tissue",
    "too_small",
    # tiles and fields
    "low_tissue",
    "background",
    "blurred",
    "pen_ink",
    "fold",
    "blank",
    "outside_slide",
    "region_unreadable",
    "duplicate_image",
    # reports
    "empty_report",
    "unknown_patient",
    "identifying_text",
    # features
    "no_features",
    "ambiguous_feature",
    "not_visible",
    "unknown_place",
    # generation
    "missing_scale",
    "unbalanced",
    "near_duplicate",
    "not_close_enough",
    "not_certified",
    "unknown_concept",
    "no_path",
    "answer_contradicts_thinking",
    "asserts_unsupported_concept",
    "claims_invisible_finding",
    "mentions_provided_answer",
    "solvable_from_text",
    "judged_poor",
    "refused",
    "malformed_answer",
    "endpoint_failed",
    "over_budget",
    # screening
    "duplicate_options",
    "empty_option",
    "missing_answer",
    "malformed_item",
    "duplicate_item",
    "lettered_rationale",
    "leaks",
    # review
    "rejected_by_reviewer",
    "awaiting_review",
    # release
    "split_leakage",
]
