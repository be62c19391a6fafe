"""Runs in the words that the caller's version of the API has for them.

Must never know: which route shows a run.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from headrace.server.calls import Call
from headrace.wire import http
from headrace.wire.statuses import old_words
from headrace.wire.views import RunView, Status

_encode: Final = msgspec.json.Encoder().encode
Told = Status | Literal["FROZEN", "REATTEMPTING"]
SHOWN: Final = msgspec.defstruct(
    "Run", [("status", Told)], bases=(RunView,), frozen=True, kw_only=True, rename="camel"
)
"""The run as the contract has it: with the names besides that clients of before are told."""


def is_current(call: Call) -> bool:
    """Tell whether the caller knows the present names of statuses."""
    return call.header(http.API_VERSION) == http.PRESENT_API


def shown(call: Call, view: RunView) -> bytes:
    """Return the run as JSON."""
    return _encode(spoken(call, view))


def spoken(call: Call, view: RunView) -> RunView:
    """Return the run as its caller knows such ones."""
    return view if is_current(call) else msgspec.structs.replace(view, **old_words(view))
