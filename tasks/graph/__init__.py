"""The knowledge graph as a stage."""
