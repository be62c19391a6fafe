"""Who may read what was sent to a run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from headrace.wire.keys import KeyOrder
from tests.server.house import House


@pytest.mark.parametrize(
    ("scopes", "notes", "signed"),
    [
        (["read:runs:{run}"], 200, 403),
        (["read:tasks:publish"], 200, 403),
        (["read:inputStreams:{run}"], 200, 403),
        (["read:inputStreams"], 200, 403),
        (["admin"], 200, 403),
        (["*:all"], 200, 403),
        (["read:inputStreams:{run}:notes"], 200, 403),
        (["read:inputStreams:{run}:signed"], 403, 200),
        (["read:runs:{run}", "read:inputStreams:{run}:signed"], 200, 200),
        (["read:inputStreams:run_other"], 403, 403),
        (["read:runs:run_other"], 403, 403),
        (["write:inputStreams:{run}", "write:inputStreams:{run}:signed"], 403, 403),
        ([], 403, 403),
    ],
)
async def test_who_may_read_what_was_sent(
    home: House, scopes: Sequence[str], notes: int, signed: int
) -> None:
    run = await home.run()
    token = home.token(*(scope.replace("{run}", run) for scope in scopes))
    path = f"/realtime/v1/streams/{run}/input"

    assert (await home.ask("HEAD", f"{path}/notes", key=token)).status == notes
    assert (await home.ask("HEAD", f"{path}/signed", key=token)).status == signed
    assert (await home.ask("HEAD", f"{path}/signed")).status == 200
    restricted = (await home.api.create_key(KeyOrder(scopes=["read:runs"]))).secret
    assert (await home.ask("HEAD", f"{path}/signed", key=restricted)).status == 200
