"""Coroutines that can be saved at an await, dropped, and rebuilt in another process.

    @resumable
    async def deploy(client): ...

    saved = bytes(save(coroutine, leaf))       # leaf says what the innermost await is
    put_away(coroutine)                        # no `finally` runs
    coroutine = restore(saved, leaf_again)     # elsewhere, later: goes on after that await

Imports nothing of the rest of the package, and knows nothing of runs. Pure Python: functions are
compiled anew from their syntax trees, and still run as ordinary coroutines.
"""

from __future__ import annotations

from headrace.frames.away import NotPutAway, put_away
from headrace.frames.capture import save
from headrace.frames.decorating import fingerprint, is_resumable, resumable
from headrace.frames.errors import (
    FramesError,
    NotRestored,
    NotResumable,
    NotSaved,
    SourceChanged,
)
from headrace.frames.hook import Untransformed, install, untransformed
from headrace.frames.registry import fingerprints
from headrace.frames.resources import Resource, resource
from headrace.frames.restoring import restore
from headrace.frames.saved import Saved

__all__ = [
    "FramesError",
    "NotPutAway",
    "NotRestored",
    "NotResumable",
    "NotSaved",
    "Resource",
    "Saved",
    "SourceChanged",
    "Untransformed",
    "fingerprint",
    "fingerprints",
    "install",
    "is_resumable",
    "put_away",
    "resource",
    "restore",
    "resumable",
    "save",
    "untransformed",
]
