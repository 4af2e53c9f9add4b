"""How pixels are read: one protocol, and a reader for each way."""

import logging

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it warns of becomes an error or a reason in the readers
