"""What each route asks of a restricted key: just that suffices, and all else does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from headrace.server.policy import AdminKey, AnyKey, RootKey
from tests.server.house import House
from tests.server.test_credentials import OPEN, SECRET_ONLY, SIGNED, filled
from tests.server.test_environments import CELLS
from tests.server.test_keys import made

ALL: Final = frozenset(
    f"{action}:{kind}"
    for action in ("read", "write", "trigger", "batchTrigger")
    for kind in ("runs", "tasks", "tags", "batch", "waitpoints", "inputStreams", "sessions")
)
_W, _R = ("write:runs",), ("read:runs",)
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "GET /api/v1/runs/{run}/result": _R,
    "POST /api/v1/runs/{run}/replay": _W,
    "POST /api/v1/runs/{run}/reschedule": _W,
    "POST /api/v1/runs/{run}/tags": _W,
    "GET /api/v1/runs/{run}/metadata": _R,
    "PUT /api/v1/runs/{run}/metadata": _W,
    "PUT /api/v2/packets/{key}": _W,
    "GET /api/v1/packets/{key}": _R,
    "POST /api/headrace/v1/runs/{run}/unblock": _W,
    "POST /api/headrace/v1/runs/{run}/restart": _W,
    "POST /api/headrace/v1/runs/{run}/accept": _W,
    "PUT /realtime/v1/streams/{run}/{target}/{stream}": _W,
    "POST /realtime/v1/streams/{run}/{target}/{stream}": _W,
    "HEAD /realtime/v1/streams/{run}/{target}/{stream}": _W,
    "POST /realtime/v1/streams/{run}/{target}/{stream}/append": _W,
    "POST /api/v1/waitpoints/tokens": ("write:waitpoints",),
    "GET /api/v1/waitpoints/tokens": ("read:waitpoints",),
    "GET /api/v1/waitpoints/tokens/{token}": ("read:waitpoints",),
    "POST /api/v1/runs/{run}/input-streams/wait": ("write:waitpoints", "read:runs"),
}
"""Scopes that suffice together, of routes that take secret keys only."""
ALTERNATIVES: Final = {"PUT /api/v2/packets/{key}": {"trigger:tasks"}}
"""Other scopes, any of which suffices as well."""
ADMIN: Final = frozenset(
    {
        "POST /api/headrace/v1/registrations",
        "GET /api/headrace/v1/registrations",
        "GET /api/headrace/v1/worker",
    }
)


async def _status(home: House, name: str, *scopes: str) -> int:
    method, path = name.split()
    key, body = await made(home, *scopes or ("none",)), CELLS[name].body
    run = await home.run()
    asked = filled(path, run=run, stream="progress", target="self")
    sent = None if body is None else filled(body, run=run, stream="notes").encode()
    return (await home.ask(method, asked, sent, key=key)).status


async def test_every_route_for_secret_keys_is_listed(home: House) -> None:
    plain = {route.name for route in home.door.routes if isinstance(route.policy, AnyKey | RootKey)}
    admin = {route.name for route in home.door.routes if isinstance(route.policy, AdminKey)}
    callbacks = {name for name in SECRET_ONLY if "/callback/" in name}
    assert admin == ADMIN
    assert set(NEEDS) == SECRET_ONLY - plain - admin - SIGNED - OPEN - callbacks


@pytest.mark.parametrize("name", sorted(NEEDS))
async def test_a_restricted_key_needs_just_what_the_route_says(home: House, name: str) -> None:
    assert await _status(home, name, *NEEDS[name]) not in {401, 403}
    enough = ALTERNATIVES.get(name, set[str]())
    for scope in enough:
        assert await _status(home, name, scope) not in {401, 403}
    for scope in NEEDS[name]:
        others = ALL - {scope} - enough
        assert await _status(home, name, *others, "admin:runs", f"{scope}:some") == 403


@pytest.mark.parametrize("name", sorted(NEEDS))
async def test_the_contract_says_what_a_restricted_key_needs(home: House, name: str) -> None:
    (route,) = (route for route in home.door.routes if route.name == name)
    assert route.policy is not None
    for scope in NEEDS[name]:
        assert scope in route.policy.words


@pytest.mark.parametrize("name", sorted(ADMIN))
async def test_code_is_declared_and_run_by_keys_that_may_do_everything(
    home: House, name: str
) -> None:
    assert await _status(home, name, *ALL) == 403
    assert await _status(home, name, "admin") not in {401, 403}


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("trigger:tasks:publish", 200),
        ("trigger:tasks", 200),
        ("*:all", 200),
        ("admin", 200),
        ("write:runs", 200),
        ("write:runs:run_1", 403),
        ("read:tasks", 403),
        ("trigger:runs", 403),
        ("trigger", 403),
    ],
)
async def test_who_may_start_a_run_may_upload_for_it(home: House, scope: str, status: int) -> None:
    assert await _status(home, "PUT /api/v2/packets/{key}", scope) == status
