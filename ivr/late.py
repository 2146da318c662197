"""Rooms looked up when they are needed: `ivr --help` stays fast, and a room that is not there is one sentence."""

from __future__ import annotations

import importlib
from typing import Any

from ivr.errors import UsageError


def late(module: str, name: str) -> Any:
    """`module.name`, imported now.

    Raises:
        UsageError: this version has no such room. An ImportError inside an existing room is a fault and stays one.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            raise
        raise UsageError(f"本版本没有 {module}", f"this version has no {module}") from None
