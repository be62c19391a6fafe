"""All routes asked at random, each answer judged.

Owns: how many of what in which order, and how often something may be slow.
Must never know: what an answer should be.
"""

# schemathesis leaves type arguments out.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, assert_never
from urllib.parse import urlsplit

import msgspec
import psutil
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed as seeded, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from tests.openapi.asking import Asked, Heard
from tests.openapi.cases import MODES, Operation, may_hold, steer
from tests.openapi.hanging import judged
from tests.openapi.judging import Drawn, Fault, Judge
from tests.openapi.outcome import Outcome
from tests.openapi.pulse import Pulse
from tests.openapi.site import site
from tests.openapi.world import World

STRIKES: Final = 3
"""So often may an operation be slow, on a machine at ease, in a way that does not come again."""
BATCH: Final = 10
"""Cases of one operation, in one mode, in a row."""
HOUR_S: Final = 3_600.0
REFRESH: Final = 150
BASE: Final = "http://127.0.0.1"
_drawing: Final = settings(
    database=None,
    deadline=None,
    derandomize=False,
    max_examples=BATCH,
    phases=[Phase.generate],
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


class Campaign:
    """Walks through the document, until so many cases were asked."""

    def __init__(
        self, document: Mapping[str, Any], world: World, pulse: Pulse, outcome: Outcome
    ) -> None:
        schema = schemathesis.openapi.from_dict(dict(document))
        self._operations: list[Operation] = [
            found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)
        ]
        self._judge, self._world, self._pulse = Judge(document), world, pulse
        self._outcome = outcome
        self._barren = set[tuple[str, GenerationMode]]()

    def run(self, count: int, tell: Callable[[int], None], most_s: float) -> None:
        """Ask so many, or more, since each walk is whole; none is begun after `most_s`."""
        end = time.monotonic() + most_s
        chance = random.Random(self._outcome.seed)  # noqa: S311 - no secret
        while self._outcome.cases < count and time.monotonic() < end:
            walk = [(operation, mode) for operation in self._operations for mode in MODES]
            chance.shuffle(walk)
            for operation, mode in walk:
                self._batch(operation, mode, chance.getrandbits(32))
                tell(self._outcome.cases)
        self._outcome.operations = [operation.label for operation in self._operations]
        self._outcome.unreached = [one.label for one in self._operations if not self._reached(one)]

    def _reached(self, operation: Operation) -> bool:
        declared = {int(status) for status in operation.definition.raw["responses"]}
        good = {status for status in declared if 200 <= status < 300}
        return not good or bool(good & self._outcome.statuses[operation.label].keys())

    def _batch(self, operation: Operation, mode: GenerationMode, number: int) -> None:
        if (operation.label, mode) in self._barren:
            return
        chance = random.Random(number)  # noqa: S311 - no secret

        @seeded(number)
        @_drawing
        @given(case=operation.as_strategy(generation_mode=mode))
        def each(case: Drawn) -> None:
            steer(case, self._world, chance)
            self._one(case)

        try:
            each()
        except Unsatisfiable:  # nothing that is sent to it could be wrong
            self._barren.add((operation.label, mode))

    def _one(self, case: Drawn) -> None:
        outcome, label = self._outcome, case.operation.label
        if label in outcome.hanging:
            return
        if outcome.cases % REFRESH == 0:
            self._world.refresh()
        try:
            request = _request(case)
            asked = _asked(case, request)
            heard = self._world.wire.ask(asked)
        except (ValueError, UnicodeError):
            return  # no client can send it
        outcome.count(label, heard)
        for fault in [*self._judge.faults(case, request, heard), *self._hang(label, asked, heard)]:
            outcome.add(label, fault, _shown(asked))
        self._world.heard(case.method, urlsplit(asked.target).path, heard)

    def _hang(self, label: str, asked: Asked, heard: Heard) -> Sequence[Fault]:
        found = judged(self._world.wire, self._pulse, asked, heard)
        match found.verdict:
            case "quick":
                return ()
            case "stalled":
                self._outcome.stalls += 1
                return ()
            case "hang":
                self._outcome.hanging.add(label)
                return [Fault("it hangs", found.times)]
            case "once":
                self._outcome.slow[label] += 1
                if heard.end == "silent" or self._outcome.slow[label] >= STRIKES:
                    return [Fault("it hangs, and not again", found.times)]
                return ()
            case _:
                assert_never(found.verdict)


def _request(case: Drawn) -> requests.PreparedRequest:
    return requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()


def _asked(case: Drawn, request: requests.PreparedRequest) -> Asked:
    url = urlsplit(str(request.url))
    target = url.path + (f"?{url.query}" if url.query else "")
    body = request.body.encode() if isinstance(request.body, str) else request.body or None
    assert body is None or isinstance(body, bytes)
    headers = {_text(name): _text(value) for name, value in request.headers.items()}
    held = may_hold(case.operation, target)
    return Asked(str(request.method), target, headers, body, may_hold=held)


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("latin-1")


def _shown(asked: Asked) -> str:
    headers = " ".join(f"{name}: {value!r}" for name, value in asked.headers.items())
    return f"{asked.method} {asked.target} {headers} {asked.body!r}"


def run(
    seed: int, count: int, folder: Path, tell: Callable[[int], None], *, most_s: float = HOUR_S
) -> Outcome:
    """Ask so many cases of a server in a folder, within a while."""
    outcome = Outcome(seed)
    with site(folder) as (world, server), Pulse() as pulse:
        document = msgspec.json.decode(world.ask("GET", "/openapi.json").body)
        begun = time.monotonic()
        Campaign(document, world, pulse, outcome).run(count, tell, most_s)
        outcome.took_s = time.monotonic() - begun
        outcome.rss_mib = psutil.Process(server.pid).memory_info().rss / 2**20
        world.wire.close()
    for line in (folder / "server.log").read_text("utf-8").splitlines():
        if "a request failed" in line or "Traceback" in line:
            outcome.add("the server", Fault("it logged a failure", line[:2_000]), "")
    return outcome
