"""A server with its streams in S2, from its settings; and what it says where that cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headrace.app.home import Home
from headrace.app.serving import serving
from headrace.app.settings import Settings
from headrace.errors import HeadraceError, Mistake, Unavailable
from headrace.kernel.model import RunId
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.views import Receipt, TriggerOrder
from tests.s2.standin import Fault, StandIn, failing

DECLARED = Registration(
    version="1",
    tasks=(TaskSpec(id="work"),),
    streams=(StreamSpec(name="notes", inward=True),),
)


@pytest.fixture
async def fake() -> AsyncIterator[StandIn]:
    fake = StandIn()
    async with fake.serving():
        yield fake


async def test_what_is_sent_stands_in_s2(fake: StandIn, tmp_path: Path) -> None:
    setting = Settings(port=0, streams=f"s2://dev/here?endpoint={fake.url}", s2_token="secret")
    async with serving(setting, Home(tmp_path)) as served:
        assert served.streams == f"basin 'headrace-dev' at {fake.url}"
        await served.api.register(DECLARED)
        run = (await served.api.trigger("work", TriggerOrder())).id
        receipt = await served.api.send(run, "notes", b'"hello"', key="k")
        assert receipt == Receipt(seq=0, duplicate=False, resumed=False)
    (record,) = fake.records(f"here/runs/{RunId(run)}/in/notes")
    assert record.body == b'"hello"'
    assert fake.tokens == {"Bearer secret"}


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (None, Unavailable, "S2 does not answer"),
        (failing(403, "permission_denied"), Mistake, "refuses the token"),
        (failing(409, "basin_deletion_pending"), Mistake, "and cannot make it"),
    ],
)
async def test_what_is_wrong_with_s2_is_said_at_the_start(
    tmp_path: Path, fault: Fault | None, kind: type[HeadraceError], said: str
) -> None:
    fake = StandIn()
    async with fake.serving():
        setting = Settings(port=0, streams=f"s2://dev?endpoint={fake.url}")
        if fault is not None:
            fake.fail_next("POST basin", *[fault] * 50)
            await _refused(setting, tmp_path, kind, said)
    if fault is None:
        await _refused(setting, tmp_path, kind, said)


async def _refused(setting: Settings, folder: Path, kind: type[HeadraceError], said: str) -> None:
    with pytest.raises(kind, match=said) as refused:
        async with serving(setting, Home(folder)):
            pass
    assert refused.value.hint
