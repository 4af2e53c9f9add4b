"""The annotators' page."""
