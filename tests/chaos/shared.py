"""What several servers share, each reaching it by an address of its own: Postgres, Redis, S2.

Owns: which of them there are, and how a server is told of them. Must never know: who breaks them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from headrace.app.home import Home
from headrace.app.settings import read
from headrace.app.storing import keeping
from headrace.ports import Stores
from tests.s2.lite import Lite, binary
from tests.services.postgres import Postgres, postgres
from tests.services.redis import RedisServer, redis_server

Place = Literal["postgres+redis", "postgres+redis+s2"]
PLACES: Final[tuple[Place, ...]] = ("postgres+redis", "postgres+redis+s2")
ADDRESSES: Final = ("127.0.0.2", "127.0.0.3")
"""By which the servers reach it, each by its own."""
BASIN: Final = "headrace-chaos"
KEY: Final = "tr_dev_chaosandnothingelse"
SNAPSHOT_KEY: Final = "a snapshot key of sixteen letters"


@dataclass(frozen=True, slots=True)
class Shared:
    """What runs beside the servers."""

    postgres: Postgres
    redis: RedisServer
    lite: Lite | None

    def environment(self, address: str) -> dict[str, str]:
        """Return the settings of a server that reaches it by this address."""
        found = {
            "HEADRACE_DATABASE": f"postgresql://headrace@{address}:{self.postgres.port}/postgres",
            "HEADRACE_REDIS": f"redis://{address}:{self.redis.port}/0",
            "HEADRACE_SECRET_KEY": KEY,
            "HEADRACE_MASTER_KEY": "a master key of sixteen letters",
        }
        if self.lite is not None:
            found["HEADRACE_STREAMS"] = f"s2://{BASIN}?endpoint=http://{address}:{self.lite.port}"
        return found

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncGenerator[Stores]:
        """Open the stores as one more server would."""
        async with keeping(read(self.environment("127.0.0.1")), Home(folder)) as kept:
            yield kept.stores


@contextmanager
def sharing(place: Place, folder: Path) -> Generator[Shared]:
    """Run it while the block lasts. The network must be the campaign's own: doors are open."""
    with ExitStack() as stack:
        database = stack.enter_context(postgres("*"))
        redis = stack.enter_context(redis_server({"bind": "*", "protected-mode": "no"}))
        lite = None
        if place.endswith("s2"):
            folder.mkdir(parents=True, exist_ok=True)
            lite = Lite(binary(), folder, is_apart=False)
            stack.callback(lite.kill)
            lite.start()
        yield Shared(database, redis, lite)
