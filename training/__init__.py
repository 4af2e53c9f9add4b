"""The small training module: reads a release, trains an image-text model, and measures it against a blind control."""
