"""Review by annotators: what screening flagged, as an append-only chain of events and the decisions on it."""
