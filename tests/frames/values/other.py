"""The other process: loads what it is given, checks it, and says how that went."""

from __future__ import annotations

import json
import sys
import traceback
from base64 import b64decode
from typing import Any

import tests.frames.values
from headrace.frames.values import Loader
from tests.frames.values.registry import CASES

assert tests.frames.values.__all__


def outcome(name: str, blob: bytes) -> str:
    """Return what went wrong, or nothing."""
    try:
        values: dict[str, Any] = Loader(blob).load()
        CASES[name].check(values)
    except Exception:  # noqa: BLE001 - it is the test that fails
        return traceback.format_exc()
    return ""


def main() -> None:
    blobs: dict[str, str] = json.load(sys.stdin)
    said = {name: outcome(name, b64decode(blob)) for name, blob in blobs.items()}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
