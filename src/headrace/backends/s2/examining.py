"""Looks at a basin from outside, and makes and changes nothing.

Owns: what is asked. Must never know: what is good or bad about an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Final, Literal

import anyio

from headrace.backends.s2 import sdk
from headrace.backends.s2.basin import patient
from headrace.backends.s2.opening import MISSING, REFUSED, fits, told_at_start
from headrace.backends.s2.place import Patience, Place

TRIES: Final = 3
BRISK: Final = Patience(silence=2.0, call=3.0, everything=3.0)


@dataclass(frozen=True, slots=True)
class Examined:
    """A basin as it was found. `keeps`: whether new streams are kept for good, if one may know."""

    place: str
    way_ms: float
    """How long the quickest of a few answers took."""
    keeps: Literal["for good", "not for good", "no basin", "unknown"]


async def examined(place: Place) -> Examined:
    """Look at the basin."""
    client = sdk.client_of(place, BRISK)
    try:
        keeps = await _keeping(client, place)
        ways = list[float]()
        if keeps != "no basin":
            for _ in range(TRIES):
                began = perf_counter()
                await patient(partial(client.basin(place.basin).list_streams, limit=1), BRISK)
                ways.append((perf_counter() - began) * 1_000)
        return Examined(str(place), min(ways, default=0.0), keeps)
    except sdk.S2Error as error:
        raise told_at_start(error, place) from error
    finally:
        with anyio.CancelScope(shield=True):
            await client.close()


async def _keeping(
    client: sdk.Client, place: Place
) -> Literal["for good", "not for good", "no basin", "unknown"]:
    try:
        found = await patient(partial(client.get_basin_config, place.basin), BRISK)
    except sdk.S2ServerError as error:
        if error.code == MISSING:
            return "no basin"
        if error.status_code in REFUSED:
            return "unknown"
        raise
    return "for good" if fits(found) else "not for good"
