"""How pixels are read: one protocol, and a reader for each way."""
