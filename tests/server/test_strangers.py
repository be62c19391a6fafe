"""Two hundred slow and deaf clients at once, and good ones beside them."""

from __future__ import annotations

import asyncio

import anyio
import msgspec
import psutil
import pytest

from bench.strangers import EVENTS, KINDS, Place, visit
from headrace.server import protocol, taking
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.views import TriggerOptions, TriggerOrder
from tests.server.house import KEY, House, house

EACH = 25
BOUND_S = 1.5
"""In place of 15 s: what a good client sends at once arrives within it on a slow machine, too."""
PATIENCE_S = 60.0


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Use the loop that serves users, and Python's own."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server lose its patience soon."""
    for module, name in (
        (protocol, "HEAD_S"),
        (protocol, "BODY_S"),
        (taking, "TAKEN_S"),
        (taking, "LOOK_S"),
    ):
        assert 10.0 <= getattr(module, name) <= 15.0
        monkeypatch.setattr(module, name, BOUND_S)


def served(port: int) -> set[int]:
    """Return the ports of those whom the server has not let go of."""
    found = psutil.Process().net_connections("tcp")
    return {one.raddr.port for one in found if one.laddr.port == port and one.raddr}


async def furnished(home: House) -> str:
    """Start a run whose answer is large, and whose output is more than anybody buffers."""
    streams = (StreamSpec(name="told", inward=True), StreamSpec(name=EVENTS, inward=False))
    tasks = (TaskSpec(id="publish"),)
    await home.api.register(Registration(version="2", tasks=tasks, streams=streams))
    metadata = msgspec.Raw(msgspec.json.encode({"large": "x" * 200_000}))
    large = msgspec.Raw(msgspec.json.encode("x" * 1_000_000))
    order = TriggerOrder(payload=large, options=TriggerOptions(metadata=metadata))
    run = (await home.api.trigger("publish", order)).id
    for _ in range(20):
        await home.api.write(run, EVENTS, [b'"' + b"x" * 50_000 + b'"'] * 20)
    return run


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("hasty")
async def test_whoever_is_slow_or_deaf_is_cut_and_nobody_else() -> None:
    ports, sent = set[int](), 0
    with anyio.fail_after(PATIENCE_S):
        async with house() as home, asyncio.TaskGroup() as group:
            run, good = await furnished(home), await home.run()
            place = Place("127.0.0.1", home.port, KEY, run, 0.2)
            visits = [
                group.create_task(visit(kind, place, ports.add))
                for kind in KINDS
                for _ in range(EACH)
            ]
            while len(ports) < len(visits) or ports & served(home.port):
                # Each of these is answered, while strangers come, stay and are cut.
                body = b'{"data":%d}' % sent
                path = f"/realtime/v1/streams/{good}/input/notes"
                assert (await home.ask("POST", path, body)).status == 200
                assert (await home.ask("GET", f"/api/v3/runs/{good}")).status == 200
                sent += 1
            assert len(visits) == 200
            for stranger in visits:
                stranger.cancel()
            assert (await home.api.retrieve(good)).unread == {"notes": sent}
            assert (await home.api.retrieve(run)).unread == {}
            assert sent > 0
