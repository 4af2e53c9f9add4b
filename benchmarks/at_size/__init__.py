"""One curation at size, end to end: `python -m benchmarks.at_size`."""
