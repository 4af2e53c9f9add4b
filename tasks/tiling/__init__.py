"""Slides to fields: tiles of one tissue centre at several scales, in Parquet, with a reason for every drop."""
