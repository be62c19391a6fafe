"""Opens a basin: makes it if it is not there, and sees to it that it keeps what it is given.

Owns: the client's life, one per event loop. Must never know: streams.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import anyio
import structlog

from headrace.backends.s2 import sdk
from headrace.backends.s2.basin import Basin, is_passing, patient, told_of
from headrace.backends.s2.place import Patience, Place
from headrace.backends.s2.streams import S2Streams
from headrace.errors import HeadraceError, Mistake, Unavailable
from headrace.ports import Chance, Stores

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.backends.s2")

WANTED: Final = sdk.BasinConfig(
    create_stream_on_append=True,
    default_stream_config=sdk.StreamConfig(retention_policy="infinite", delete_on_empty_min_age=0),
)
"""A run may wait for longer than any other retention: its streams end with it."""
REFUSED: Final = frozenset({401, 403})
MISSING, _PENDING = "basin_not_found", "basin_deletion_pending"


@asynccontextmanager
async def opened(
    place: Place, stores: Stores, chance: Chance, patience: Patience
) -> AsyncGenerator[Stores]:
    """Open the streams of a basin, beside the rest of `stores`."""
    client = sdk.client_of(place, patience)
    try:
        await ensure(client, place, patience)
        basin = Basin(client, place, patience)
        streams = S2Streams(basin, stores.blobs, stores.notebook, chance, prefix=place.prefix)
        yield replace(stores, streams=streams)
    finally:
        with anyio.CancelScope(shield=True):
            await client.close()


async def ensure(client: sdk.Client, place: Place, patience: Patience) -> None:
    """See to it that the basin is there and keeps what it is given, or say what to do."""
    try:
        found = await _config(client, place, patience)
        if found is not None and not fits(found):
            await patient(partial(client.reconfigure_basin, place.basin, config=WANTED), patience)
            _log.warning("the basin keeps new streams for good from now on", basin=place.basin)
    except sdk.S2Error as error:
        raise told_at_start(error, place) from error


async def _config(client: sdk.Client, place: Place, patience: Patience) -> sdk.BasinConfig | None:
    """Return how the basin is configured; `None` if it was made now, or may not be looked at."""
    try:
        return await patient(partial(client.get_basin_config, place.basin), patience)
    except sdk.S2ServerError as error:
        if error.code == MISSING:
            await _make(client, place, patience)
            return None
        if error.status_code not in REFUSED:
            raise
    # The token may be one for streams only: then this is allowed.
    await patient(partial(client.basin(place.basin).list_streams, limit=1), patience)
    _log.warning(
        "the token may not look at the basin's configuration: its streams must be created on"
        " append and kept for ever",
        basin=place.basin,
    )
    return None


async def _make(client: sdk.Client, place: Place, patience: Patience) -> None:
    try:
        await patient(partial(client.create_basin, place.basin, config=WANTED), patience)
    except sdk.S2ServerError as error:
        if error.status_code != 409 or error.code == _PENDING:  # noqa: PLR2004 - HTTP's
            raise
        # Another server was faster; it wants the same.


def fits(config: sdk.BasinConfig) -> bool:
    """Tell whether the basin makes streams by itself and keeps them for good."""
    streams = config.default_stream_config
    return (
        config.create_stream_on_append is True
        and streams is not None
        and streams.retention_policy == "infinite"
        and not streams.delete_on_empty_min_age
    )


def told_at_start(error: sdk.S2Error, place: Place) -> HeadraceError:
    """Say at the start what is wrong, and what to do."""
    if not isinstance(error, sdk.S2ServerError):
        hint = "Is it an S2 endpoint, and does s2-lite run there? See docs/howto/local-s2.md."
        return Unavailable(told_of(error, place).message, hint=hint)
    if error.status_code in REFUSED:
        return Mistake(
            f"S2 refuses the token for {place}",
            hint="HEADRACE_S2_TOKEN needs the right to its streams, and to make and configure it.",
        )
    if is_passing(error):
        return told_of(error, place)
    return Mistake(
        f"S2 has no {place}, and cannot make it: {error.message[:200]}",
        hint="Choose another name (it is unique among all of S2's customers), or make it by hand.",
    )
