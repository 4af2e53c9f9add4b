"""Libraries that only some ways of publishing need, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from schemas.errors import MissingExtraError


def need(module: str, extra: str, purpose: str) -> Any:
    """Return an optional module.

    Args:
        module: name of the module.
        extra: extra of this project that installs it.
        purpose: what needs it, for the message.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {module.partition('.')[0]}, which is not installed",
            remedy=f"pip install -e '.[{extra}]' in the checkout",
        ) from error
