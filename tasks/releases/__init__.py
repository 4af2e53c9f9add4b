"""Releases: versioned Parquet datasets that nothing enters without passing the gate."""
