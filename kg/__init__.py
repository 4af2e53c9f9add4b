"""The medical knowledge graph."""
