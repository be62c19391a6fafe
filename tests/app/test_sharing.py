"""What servers on one database agree on, who is refused, and what of it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from headrace.app.settings import Settings
from headrace.app.sharing import (
    agree_on_master,
    agree_on_root,
    agree_on_streams,
    change_master,
    demand_given,
    missing,
    streams_of,
)
from headrace.backends.memory import open_memory
from headrace.errors import Mistake
from headrace.kernel.model import EnvId
from headrace.ports import Blobs
from headrace.wire.vault import Vault

SHARED = "postgresql://127.0.0.1/x"
OURS, THEIRS = Vault(b"o" * 32), Vault(b"t" * 32)
DEV, PROD = EnvId("dev"), EnvId("prod")
MADE, GIVEN = Settings(database=SHARED), Settings(database=SHARED, key="tr_dev_given")


@pytest.fixture
async def blobs() -> AsyncIterator[Blobs]:
    async with open_memory() as stores:
        yield stores.blobs


async def test_the_first_master_key_counts_until_it_is_changed(blobs: Blobs) -> None:
    await agree_on_master(blobs, OURS)
    await agree_on_master(blobs, OURS)
    with pytest.raises(Mistake, match="another master key") as told:
        await agree_on_master(blobs, THEIRS)
    assert "HEADRACE_MASTER_KEY" in told.value.hint
    assert "headrace keys change-master" in told.value.hint
    await change_master(blobs, THEIRS)
    await agree_on_master(blobs, THEIRS)
    with pytest.raises(Mistake, match="another master key"):
        await agree_on_master(blobs, OURS)


async def test_streams_stay_where_they_are(blobs: Blobs) -> None:
    here, there = "s2://ours-of-old?endpoint=http://a:1", "s2://ours-of-old?endpoint=http://b:2"
    await agree_on_streams(blobs, streams_of(Settings(database=SHARED, streams=here)))
    await agree_on_streams(blobs, streams_of(Settings(database=SHARED, streams=there)))
    for other in ("", "s2://another-one?endpoint=http://a:1"):
        with pytest.raises(Mistake, match="are in basin 'ours-of-old', not in") as told:
            await agree_on_streams(blobs, streams_of(Settings(database=SHARED, streams=other)))
        assert "HEADRACE_STREAMS" in told.value.hint


async def test_two_servers_that_make_their_own_root_key_do_not_both_start(blobs: Blobs) -> None:
    await agree_on_root(blobs, MADE, DEV, "tr_dev_one")
    await agree_on_root(blobs, MADE, DEV, "tr_dev_one")
    with pytest.raises(Mistake, match="another root key of environment 'dev'") as told:
        await agree_on_root(blobs, MADE, DEV, "tr_dev_two")
    assert "HEADRACE_SECRET_KEY" in told.value.hint
    await agree_on_root(blobs, MADE, PROD, "tr_prod_two")


async def test_another_given_root_key_is_spoken_of_and_taken(blobs: Blobs) -> None:
    with capture_logs() as logs:
        await agree_on_root(blobs, GIVEN, DEV, "tr_dev_given")
        await agree_on_root(blobs, GIVEN, DEV, "tr_dev_given")
        assert logs == []
        await agree_on_root(blobs, GIVEN, DEV, "tr_dev_next")
        await agree_on_root(blobs, GIVEN, DEV, "tr_dev_next")
        await agree_on_root(blobs, MADE, DEV, "tr_dev_made")
    assert ["the last server on this database has another" in log["event"] for log in logs] == [
        True,
        True,
    ]
    assert "tr_dev_next" not in str(logs)


async def test_no_key_is_kept(blobs: Blobs) -> None:
    await agree_on_root(blobs, MADE, DEV, "tr_dev_canary")
    await agree_on_master(blobs, Vault(b"canary" * 6))
    kept = [
        await blobs.get(key)
        for key in ("agreed/master-key", "agreed/made-key/dev", "agreed/last-key/dev")
    ]
    assert [
        value is not None and len(value) == 32 and b"canary" not in value for value in kept
    ] == [
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("setting", "lacks"),
    [
        (Settings(), ()),
        (MADE, ("HEADRACE_SECRET_KEY", "HEADRACE_MASTER_KEY")),
        (GIVEN, ("HEADRACE_MASTER_KEY",)),
        (Settings(database=SHARED, key="k", master="m"), ()),
    ],
)
def test_what_a_server_was_not_given_is_known(setting: Settings, lacks: tuple[str, ...]) -> None:
    assert missing(setting) == lacks


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7"])  # noqa: S104 - refused
def test_a_server_that_others_reach_makes_no_key_for_a_shared_database(host: str) -> None:
    with pytest.raises(Mistake, match="keys that nobody chose") as told:
        demand_given(Settings(database=SHARED, host=host, key="k"))
    assert "Set HEADRACE_MASTER_KEY, the same" in told.value.hint
    demand_given(Settings(database=SHARED, host=host, key="k", master="m"))
    demand_given(Settings(host=host, key="k"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_it_may(host: str) -> None:
    demand_given(Settings(database=SHARED, host=host))
