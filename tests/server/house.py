"""A real server on a port of its own, before a real engine in memory, and hands to knock with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO

import aiohttp
import anyio
import jwt
import msgspec

from headrace.backends.memory import open_memory
from headrace.engine import Engine, Keyring, Signer, open_engine
from headrace.kernel.model import EnvId
from headrace.ports import Api, Clock, Stores
from headrace.server import Door, Rates, serve
from headrace.testing.clock import ManualClock
from headrace.wire import tokens
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.vault import Vault
from headrace.wire.views import TriggerOrder

DEV, PROD = EnvId("dev"), EnvId("prod")
KEY = "tr_dev_0123456789abcdefghijklmnopqrstuv"
OTHER_KEY = "tr_prod_0123456789abcdefghijklmnopqrstu"
KEYS = {DEV: [KEY], PROD: [OTHER_KEY]}
MASTER = b"the master key of no other house"
PATIENCE_S = 10.0
# Its `key` may be of types of a package that is not installed here.
_encode = jwt.encode  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
APPROVAL = msgspec.json.encode(
    {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}},
        "required": ["approved"],
    }
)
DECLARED = Registration(
    version="1",
    tasks=(TaskSpec(id="publish"), TaskSpec(id="count", schema=b'{"type":"integer"}')),
    streams=(
        StreamSpec(name="approval", inward=True, schema=APPROVAL),
        StreamSpec(name="notes", inward=True),
        StreamSpec(name="signed", inward=True, trusted=True),
        StreamSpec(name="progress", inward=False),
    ),
)


class Counting:
    """Chance that counts: the same at every run of a test."""

    def __init__(self) -> None:
        self._next = 0

    def jitter(self) -> float:
        return 0.5

    def unique(self, size: int) -> bytes:
        self._next += 1
        return self._next.to_bytes(size)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        """Return the body as an object."""
        return msgspec.json.decode(self.body, type=dict[str, object])


@dataclass(slots=True)
class House:
    """The server, and everything behind it."""

    engine: Engine
    stores: Stores
    clock: ManualClock
    ring: Keyring
    door: Door
    port: int
    http: aiohttp.ClientSession
    ready: list[bool] = field(default_factory=lambda: [True])

    @property
    def api(self) -> Api:
        """Return the use cases of `dev`, without the door."""
        return self.engine.at(DEV)

    @property
    def url(self) -> str:
        """Return the address."""
        return f"http://127.0.0.1:{self.port}"

    def token(self, *scopes: str, ttl_ms: int = 60_000) -> str:
        """Sign a public token of `dev`."""
        return tokens.mint(KEY, DEV, scopes, self.clock.now(), ttl_ms=ttl_ms)

    def signed(self, **claims: object) -> str:
        """Sign a token of `dev` that claims just this."""
        return _encode(claims, KEY, "HS256")

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        key: str = KEY,
        **headers: str,
    ) -> Said:
        """Make one request; in names of headers `_` stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["authorization"] = f"Bearer {key}"
        data = None if body is None else BytesIO(body)
        with anyio.fail_after(PATIENCE_S):
            async with self.http.request(
                method, self.url + path, data=data, headers=sent, allow_redirects=False
            ) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                return Said(response.status, found, await response.read())

    async def run(self, task: str = "publish") -> str:
        """Start a run, past the door."""
        order = TriggerOrder(payload=msgspec.Raw(b"1"))
        return (await self.api.trigger(task, order)).id


def ring_of(stores: Stores, clock: Clock) -> Keyring:
    """Return the keys of the house."""
    return Keyring(stores.credentials, Vault(MASTER), clock, KEYS)


@asynccontextmanager
async def house(
    rates: Rates = Rates(),  # noqa: B008 - frozen
    *,
    veil: Callable[[Stores], Stores] | None = None,
) -> AsyncGenerator[House]:
    """Open one; a `veil` stands between the engine and its stores."""
    clock, ready = ManualClock(), [True]

    async def is_ready() -> bool:
        return ready[0]

    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_memory(clock))
        stores = stores if veil is None else veil(stores)
        ring = ring_of(stores, clock)
        chance = Counting()
        opened = open_engine(stores, chance, Signer(ring, clock, chance), keyring=ring)
        engine = await stack.enter_async_context(opened)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        door = Door(engine, ring, clock=clock, chance=Counting(), ready=is_ready, rates=rates)
        await engine.at(DEV).register(DECLARED)
        async with serve(door, port=0) as port:
            yield House(engine, stores, clock, ring, door, port, http, ready)


async def started(home: House, body: bytes = b'{"payload":1}') -> str:
    """Start a run; return its id."""
    return str((await home.ask("POST", "/api/v1/tasks/publish/trigger", body)).json["id"])
