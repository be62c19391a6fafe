"""Ids: a prefix, and 26 characters that sort by time; what is said of a run that is not here."""

from __future__ import annotations

from headrace.errors import NotFound
from headrace.kernel.model import Instant, RunId, WaitpointId
from headrace.ports import Chance

_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_TIME_BYTES, _CHANCE_BYTES, _LENGTH = 6, 9, 24


def run_id(now: Instant, chance: Chance) -> RunId:
    """Return a new id of a run, with region and version at its end."""
    return RunId(f"run_{_body(now, chance)}a1")


def waitpoint_id(now: Instant, chance: Chance) -> WaitpointId:
    """Return a new id of a waitpoint, with its type (one completed by hand) at its end."""
    return WaitpointId(f"waitpoint_{_body(now, chance)}mw")


def _body(now: Instant, chance: Chance) -> str:
    """Return base32hex of 6 bytes of time and 9 of chance."""
    raw = now.to_bytes(_TIME_BYTES, "big") + chance.unique(_CHANCE_BYTES)
    number = int.from_bytes(raw, "big")
    return "".join(_DIGITS[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def unknown_run(run_id: str) -> NotFound:
    """Say that there is no such run here, in the same words if there is one elsewhere."""
    return NotFound(f"there is no run {run_id!r} in this environment")
