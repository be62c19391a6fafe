"""What `Tallying` promises: how much has been sent to each of many runs."""

from __future__ import annotations

from headrace.kernel.model import RunId, inward, outward
from headrace.ports import Stores, Tallying
from headrace.testing.contracts.given import draft, executing, filled


class TallyingContract:
    """`tally`."""

    async def test_the_records_of_all_input_streams_are_counted(self, stores: Stores) -> None:
        assert isinstance(stores.streams, Tallying)
        first, second, third = [await executing(stores, f"run-{n}") for n in range(3)]
        await filled(stores, first, 12)
        for stream in (inward("a"), inward("<"), outward("a"), outward("<b")):
            for run in (first, second):
                await stores.streams.append(draft(run, 0, stream=stream))
        await stores.streams.append(draft(third, 0, stream=outward("c")))
        asked = [first.id, RunId("nobody"), second.id, third.id]
        assert await stores.streams.tally(asked) == {first.id: 14, second.id: 2}
        assert await stores.streams.tally([second.id]) == {second.id: 2}
        assert await stores.streams.tally([]) == {}
