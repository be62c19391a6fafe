"""What there is on the server while all routes are asked: runs in every state, keys, what was told.

Owns: ids, credentials and bodies that lead deep into the server, and that they are fresh.
Must never know: how an answer is judged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final, cast
from urllib.parse import urlsplit

import msgspec

from headrace.wire import http, shapes
from tests.fleet.processes import Site, until
from tests.openapi.asking import Asked, Heard, Wire
from tests.openapi.credentials import Credentials

KEPT: Final = 6
"""So many of each kind are remembered: the newest."""
BLOCKED: Final = 24
STREAMS: Final = ("approval", "notes", "sealed", "lines", "nothing")
TASKS: Final = ("echo", "count", "fail", "review", "chat", "nobody")
TAGS: Final = ("red", "user:7", "gr\u00fcn")
RESTRICTED: Final[Mapping[str, Sequence[str]]] = {
    "all": ("admin",),
    "reads": ("read:runs", "read:tags"),
    "starts": ("trigger:tasks",),
}
"""Secret keys that may do what is said."""
FIXED: Final[Mapping[str, Sequence[str]]] = {
    "task": TASKS,
    "stream": STREAMS,
    "target": ("self", "self", "self", "parent", "root"),
    "part": ("payload", "output"),
    "packets": ("p/1", "k", "packet"),
    "headrace/v1/packets": ("k", "packet"),
}
_TRIGGER: Final = "/api/v1/tasks/{task}/trigger"
_FRESH: Final[Sequence[tuple[str, object]]] = (
    ("echo", {"payload": [1, None], "options": {"tags": ["red"]}}),
    ("echo", {"payload": "large" * 40_000}),
    ("fail", {"payload": "so"}),
    ("review", {"payload": {"a": 1}, "options": {"tags": ["red", "user:7"], "metadata": {"n": 1}}}),
    ("chat", {}),
    ("family", {"payload": "x"}),
    ("dawdle", {}),
    ("echo", {"options": {"delay": "1h", "tags": ["gr\u00fcn"]}}),
    ("nobody", {"payload": 1}),
    ("nobody", {"options": {"ttl": "1s"}}),
)
_LIVE: Final = frozenset({"review", "chat", "family"})


@dataclass(slots=True)
class World:
    """The site, what is known of it, and how to come in."""

    site: Site
    wire: Wire
    pools: dict[str, deque[str]] = field(default_factory=dict[str, deque[str]])
    credentials: Credentials = field(init=False)
    _numbers: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.credentials = Credentials(self.site.key)

    def ask(self, method: str, path: str, body: object = None) -> Heard:
        """Ask as somebody who means well."""
        headers = {
            http.AUTHORIZATION: f"Bearer {self.site.key}",
            http.API_VERSION: http.PRESENT_API,
        }
        raw = None if body is None else msgspec.json.encode(body)
        return self.wire.ask(Asked(method, path, headers, raw))

    def settle(self) -> None:
        """Make the keys, and what stays as it is."""
        for name, given in RESTRICTED.items():
            order = {"name": name, "scopes": given}
            made = _json(self.ask("POST", "/api/headrace/v1/keys", order))
            self.credentials.keys[name] = str(made["secret"])
        nobody = {"version": "outside", "tasks": [{"id": "nobody"}], "streams": []}
        self.ask("POST", "/api/headrace/v1/registrations", nobody)
        self.refresh()

    def refresh(self) -> None:
        """Start runs that stand in every state, and a key that may be ended."""
        for task, order in _FRESH:
            run = self.start(task, order)
            if task in _LIVE:
                self.learn("live", run)
        self.learn("delayed", self.start("echo", {"options": {"delay": "1h"}}))
        stopped = self.start("review", {})
        self.ask("POST", f"/api/v2/runs/{stopped}/cancel")
        key = f"key-{next(self._numbers) % 4}"
        self.start("echo", {"options": {"idempotencyKey": key}})
        self.learn("idempotencyKeys", key)
        self.heard("POST", "/api/headrace/v1/keys", self.ask("POST", "/api/headrace/v1/keys", {}))
        run = self.pools["live"][-1]
        self.follow("GET /realtime/v1/runs/{run}", f"/realtime/v1/runs/{run}?offset=-1")
        self.follow("GET /realtime/v1/runs", "/realtime/v1/runs?tags=red&offset=-1")
        for order in ({"timeout": "1s"}, {"tags": ["red"]}, {}):
            made = _json(self.ask("POST", "/api/v1/waitpoints/tokens", order))
            self.learn("token", str(made["id"]))
            proof = str(made["url"]).rpartition("/")[2]
            self.learn("callback", f"{made['id']}/{proof}")
        for method, path in (("PUT", "/api/v2/packets/k"), ("GET", "/api/v1/packets/k")):
            self.heard(method, path, self.ask(method, path))

    def follow(self, label: str, target: str) -> None:
        """Begin to follow a feed."""
        heard = self.ask("GET", target)
        place = (heard.header(shapes.HANDLE), heard.header(shapes.OFFSET))
        self.learn(f"feed {label}", " ".join((target, *place)))

    def start(self, task: str, order: object) -> str:
        """Start a run; return its id, if it could be started."""
        heard = self.ask("POST", _TRIGGER.format(task=task), order)
        if heard.status != 200:
            return "none"
        run = str(_json(heard)["id"])
        self.learn("run", run, KEPT * len(_FRESH))
        return run

    def stranded(self, change_edition: Callable[[], None]) -> None:
        """Have runs blocked: they wait, the code changes, they are answered."""
        runs = [self.start("change", {}) for _ in range(BLOCKED)]
        until("they wait", lambda: all(self.status(run) == "WAITING" for run in runs))
        change_edition()
        for run in runs:
            self.ask("POST", f"/realtime/v1/streams/{run}/input/notes", {"data": 1})
            self.learn("blocked", run, BLOCKED)
        until("they are blocked", lambda: {self.status(run) for run in runs} == {"PENDING_VERSION"})

    def status(self, run: str) -> str:
        """Return a run's status."""
        return str(_json(self.ask("GET", f"/api/v3/runs/{run}")).get("status"))

    # --- what is known ----------------------------------------------------------------------------

    def learn(self, kind: str, text: str, most: int = KEPT) -> None:
        """Remember something that leads further."""
        pool = self.pools.setdefault(kind, deque(maxlen=most))
        if text and text not in pool:
            pool.append(text)

    def known(self, kind: str, chance: Random) -> str:
        """Return one of what is known; empty where there is none."""
        return chance.choice(FIXED.get(kind) or self.pools.get(kind) or ("",))

    def heard(self, method: str, path: str, heard: Heard) -> None:
        """Remember what an answer says that leads further."""
        if heard.status != 200 or not heard.body.startswith(b"{"):
            return
        said = _json(heard)
        if "presignedUrl" in said and "%2F" not in str(
            said["presignedUrl"]
        ):  # drawn paths have no /
            url = urlsplit(str(said["presignedUrl"]))
            place = "runs/{run}/packets/{part}" if "/runs/" in url.path else "packets/{key}"
            self.learn(f"signed {method} /api/headrace/v1/{place}", f"{url.path}?{url.query}")
        if "secret" in said:
            self.learn("key", str(cast("dict[str, object]", said["key"])["id"]))
        if path.endswith(("/trigger", "/replay")):
            self.learn("run", str(said.get("id", "")))


def _json(heard: Heard) -> dict[str, object]:
    try:
        return msgspec.json.decode(heard.body, type=dict[str, object])
    except msgspec.MsgspecError:
        return {}
