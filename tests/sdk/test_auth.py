"""Public tokens from Python: what they permit, from code with an event loop and without."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import jwt
import pytest

from headrace import auth, task
from headrace.app.local import ENV
from headrace.errors import BadRequest
from headrace.sdk.deadlines import Duration
from headrace.testing import Harness
from tests.sdk.given import Post, approval, publish


def claims_of(token: str) -> dict[str, object]:
    read: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return read


async def test_a_token_names_what_was_given(h: Harness) -> None:
    handle = await publish.trigger(Post(title="a"))
    token = await auth.public_token(
        read=[handle, "run_2", approval.of("run_4")],
        send=[approval.of(handle), handle, "run_3"],
        trigger=["publish"],
        scopes=["read:tags:user:7"],
    )

    assert claims_of(token)["scopes"] == [
        f"read:runs:{handle.id}",
        "read:runs:run_2",
        "read:inputStreams:run_4:approval",
        f"write:inputStreams:{handle.id}:approval",
        f"write:inputStreams:{handle.id}",
        "write:inputStreams:run_3",
        "trigger:tasks:publish",
        "read:tags:user:7",
    ]
    assert claims_of(token)["sub"] == ENV


async def test_a_token_says_how_long_how_often_and_who(h: Harness) -> None:
    spans: dict[Duration, int] = {"15m": 900, 90: 90, timedelta(hours=2): 7_200, "1h30m": 5_400}
    for span, seconds in spans.items():
        read = claims_of(await auth.public_token(scopes=["read:runs"], expires=span))
        assert int(str(read["exp"])) - int(str(read["iat"])) == seconds
        assert not {"uses", "act", "otu"} & set(read)
    token = await auth.public_token(trigger=["a"], uses=3, single_use=True, actor="alice")
    read = claims_of(token)
    assert (read["uses"], read["otu"], read["act"]) == (3, True, {"sub": "alice"})


@pytest.mark.parametrize("expires", ["soon", "31d", 0, -1])
async def test_what_is_no_end_is_refused(h: Harness, expires: str | int) -> None:
    with pytest.raises(BadRequest):
        await auth.public_token(scopes=["read:runs"], expires=expires)


async def test_a_token_for_nothing_is_refused(h: Harness) -> None:
    with pytest.raises(BadRequest, match="scopes"):
        await auth.public_token()


async def test_plain_code_has_it_too(h: Harness) -> None:
    token = await asyncio.to_thread(auth.sync.public_token, scopes=["read:runs"])

    assert claims_of(token)["scopes"] == ["read:runs"]


@task
def signs() -> str:
    return auth.sync.public_token(scopes=["read:runs"])


async def test_a_plain_task_has_it(h: Harness) -> None:
    assert claims_of(await (await signs.trigger()).result())["scopes"] == ["read:runs"]
