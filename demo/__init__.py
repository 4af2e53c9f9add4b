"""Synthetic H&E slides, region annotations and reports with known truth: the embedded default of the main job."""
