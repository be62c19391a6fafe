"""Where streams are kept, and what an opener says when it cannot have them there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from headrace.backends.s2 import Place, open_s2, place_of
from headrace.errors import BadRequest, HeadraceError, Mistake, Unavailable
from headrace.ports import Stores
from headrace.testing.contracts.given import draft, executing
from tests.s2.rooms import HASTE, Chance
from tests.s2.standin import StandIn, failing

LITE = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"s2://dev?endpoint={LITE}", Place("headrace-dev", LITE, "", "none")),
        (f"s2://my-streams?endpoint={LITE}/", Place("my-streams", LITE, "", "none")),
        (f"s2://my-streams/a/b/?endpoint={LITE}", Place("my-streams", LITE, "a/b/", "none")),
        ("s2://dev?endpoint=http://s2:80", Place("headrace-dev", "http://s2:80", "", "none")),
    ],
)
def test_a_place_is_named_by_a_url(url: str, place: Place) -> None:
    assert place_of(url) == place


def test_a_token_is_given_apart_and_never_shown() -> None:
    place = place_of("s2://my-streams", "secret-token")
    assert (place.token, place.endpoint) == ("secret-token", "")
    assert "secret-token" not in f"{place} {place!r}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "no s2:// URL"),
        ("database", "no s2:// URL"),
        ("http://dev", "no s2:// URL"),
        ("s2://", "no s2:// URL"),
        ("s2://[dev", "no URL"),
        ("s2://my-streams", "need a token"),
        (f"s2://user:secret@dev?endpoint={LITE}", "holds a secret"),
        (f"s2://dev?token=secret&endpoint={LITE}", "holds a secret"),
        (f"s2://dev?retention=1&endpoint={LITE}", "'retention'"),
        (f"s2://Dev_1?endpoint={LITE}", "no name of a basin"),
        (f"s2://-x-x-x-x-?endpoint={LITE}", "no name of a basin"),
        (f"s2://{'x' * 49}?endpoint={LITE}", "no name of a basin"),
        ("s2://dev?endpoint=127.0.0.1:4566", "no origin"),
        ("s2://dev?endpoint=http://h/v1", "no origin"),
        ("s2://dev?endpoint=http://u:p@h", "no origin"),
        ("s2://dev?endpoint=http://h:x", "no origin"),
        ("s2://dev?endpoint=ftp://h", "no origin"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said) as refused:
        place_of(url)
    assert "secret" not in str(refused.value).replace("holds a secret", "")
    assert refused.value.hint


def test_a_token_does_not_travel_in_the_open() -> None:
    with pytest.raises(BadRequest, match="unencrypted"):
        place_of("s2://dev?endpoint=http://s2.example:80", "secret")
    assert place_of(f"s2://dev?endpoint={LITE}", "secret").token == "secret"
    assert place_of("s2://dev?endpoint=https://s2.example", "secret").token == "secret"


def test_without_the_library_it_is_said_what_to_install() -> None:
    program = f"""
import sys
sys.modules["s2_sdk"] = None
from headrace.backends.s2 import open_s2
from headrace.errors import Mistake
try:
    open_s2("s2://dev?endpoint={LITE}", None, None)
except Mistake as refused:
    print(refused)
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout == (
        "streams in S2 need the library s2-sdk, which is not installed\n"
        "Install it: pip install 'headrace[s2]'\n"
    )


async def opened(fake: StandIn, memory: Stores, *, token: str = "") -> Stores:
    url = f"s2://dev?endpoint={fake.url}"
    async with open_s2(url, memory, Chance(), token=token, patience=HASTE) as stores:
        run = await executing(stores)
        await stores.streams.append(draft(run, 0))
        return stores


async def test_a_basin_is_made_that_keeps_what_it_is_given(fake: StandIn, memory: Stores) -> None:
    await opened(fake, memory)
    assert fake.basins["headrace-dev"].config == {
        "create_stream_on_append": True,
        "default_stream_config": {
            "retention_policy": {"infinite": {}},
            "delete_on_empty": {"min_age_secs": 0},
        },
    }


async def test_a_basin_that_would_forget_is_told_to_keep(fake: StandIn, memory: Stores) -> None:
    week = {"retention_policy": {"age": 604_800}}
    fake.make("headrace-dev", {"create_stream_on_append": True, "default_stream_config": week})
    await opened(fake, memory)
    config = fake.basins["headrace-dev"].config
    assert config["create_stream_on_append"] is True
    assert "infinite" in str(config["default_stream_config"])
    fake.requests.clear()
    await opened_again(fake, memory)
    assert "PATCH basin" not in fake.requests


async def opened_again(fake: StandIn, memory: Stores) -> None:
    url = f"s2://dev?endpoint={fake.url}"
    async with open_s2(url, memory, Chance(), patience=HASTE):
        pass


async def test_two_servers_may_start_at_once(fake: StandIn, memory: Stores) -> None:
    fake.fail_next("POST basin", failing(409, "resource_already_exists"))
    await opened_again(fake, memory)


async def test_a_token_for_streams_only_will_do(fake: StandIn, memory: Stores) -> None:
    fake.make("headrace-dev", {"create_stream_on_append": True})
    fake.fail_next("GET basin", failing(403, "permission_denied"))
    await opened(fake, memory, token="only-streams")
    assert fake.tokens == {"Bearer only-streams"}


@pytest.mark.parametrize(
    ("what", "fault", "said"),
    [
        ("GET basin", (401, "unauthorized"), (Mistake, "refuses the token")),
        ("POST basin", (403, "permission_denied"), (Mistake, "refuses the token")),
        ("POST basin", (409, "basin_deletion_pending"), (Mistake, "cannot make it")),
        ("POST basin", (422, "invalid"), (Mistake, "cannot make it")),
        ("GET basin", (503, "unavailable"), (Unavailable, "S2 fails")),
    ],
)
async def test_what_is_wrong_at_the_start_is_said(
    fake: StandIn,
    memory: Stores,
    what: str,
    fault: tuple[int, str],
    said: tuple[type[HeadraceError], str],
) -> None:
    (status, code), (kind, text) = fault, said
    fake.fail_next(what, *[failing(status, code)] * 50)
    fake.fail_next("list", *[failing(status, code)] * 50)
    with pytest.raises(kind, match=text) as refused:
        await opened(fake, memory)
    assert refused.value.hint


async def test_where_no_s2_is_it_is_said(memory: Stores) -> None:
    fake = StandIn()
    async with fake.serving():
        pass
    with pytest.raises(Unavailable, match="S2 does not answer") as refused:
        await opened(fake, memory)
    assert "docs/howto/local-s2.md" in refused.value.hint
