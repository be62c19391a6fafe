"""Who asks: keys and tokens, good ones, narrow ones and bad ones.

Must never know: what is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from headrace.kernel.model import EnvId, Instant
from headrace.wire import tokens

DEV: Final = EnvId("dev")
LONG_AGO_MS: Final = 7_200_000
_FORGED: Final = "A" * 43
Ids = Mapping[str, str]
WHO: Final = (
    *["root"] * 20,
    *["own token"] * 3,
    *["all", "reads", "starts", "stranger", "as drawn", "nobody"],
    *["other token", "wide token", "tag token", "single token", "used token", "old token"],
    "forged token",
)
"""Who asks, as often as he is named."""


def _own(ids: Ids) -> tuple[str, ...]:
    run = ids.get("run", "run_1")
    task = f"trigger:tasks:{ids.get('task', 'echo')}"
    token = f"write:waitpoints:{ids.get('token', 'waitpoint_1')}"
    return (f"read:runs:{run}", f"write:runs:{run}", f"write:inputStreams:{run}", task, token)


@dataclass(slots=True)
class Credentials:
    """The root key, the other secret keys, and tokens that are signed as they are needed."""

    root: str
    keys: dict[str, str] = field(default_factory=dict[str, str])
    _numbers: count[int] = field(default_factory=count)
    _used: str = ""

    def of(self, who: str, ids: Ids) -> str | None:
        """Return what goes behind `Authorization`; None for no such header."""
        if who == "nobody":
            return None
        secret = self.root if who == "root" else self.keys.get(who) or self._token(who, ids)
        return f"Bearer {secret}"

    def _token(self, who: str, ids: Ids) -> str:
        if not self._used:
            self._used = self._signed("admin", "*:all", uses=3)
        makers: Mapping[str, Callable[[], str]] = {
            "own token": lambda: self._signed(*_own(ids)),
            "other token": lambda: self._signed(*_own({"run": "run_other", "task": "other"})),
            "wide token": lambda: self._signed("admin", "*:all", uses=2),
            "tag token": lambda: self._signed("read:tags:red", "read:tasks:echo"),
            "single token": lambda: self._signed(*_own(ids), single=True),
            "used token": lambda: self._used,
            "old token": lambda: self._signed(*_own(ids), ago_ms=LONG_AGO_MS),
            "forged token": lambda: self._signed(*_own(ids)).rpartition(".")[0] + f".{_FORGED}",
        }
        return makers[who]()

    def _signed(self, *scopes: str, ago_ms: int = 0, single: bool = False, uses: int = 0) -> str:
        """Sign a token, unlike any other."""
        now = Instant(int(time.time() * 1_000) - ago_ms)
        name, more = f"t{next(self._numbers)}", {"uses": uses} if uses else {}
        return tokens.mint(self.root, DEV, scopes, now, id=name, single_use=single, more=more)
