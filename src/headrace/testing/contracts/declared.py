"""What the suites of an `Api` start from: an environment with tasks and streams declared."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from headrace.kernel.model import Retry
from headrace.ports import Api
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.views import TriggerOptions, TriggerOrder

ANSWER = b'{"approved":true}'
ANSWERS = msgspec.json.encode(
    {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}},
        "required": ["approved"],
        "additionalProperties": False,
    }
)
NUMBERS = b'{"type":"integer"}'


def order(payload: bytes = b"1", **options: object) -> TriggerOrder:
    """Return a trigger's body."""
    text = msgspec.json.encode(options)
    return TriggerOrder(
        payload=Raw(payload), options=msgspec.json.decode(text, type=TriggerOptions)
    )


class Declared:
    """Give the fixture `api`: an `Api` bound to an environment that nothing else uses."""

    @pytest.fixture
    async def known(self, api: Api) -> Api:
        """The same api, once tasks and streams have been declared."""
        await api.register(
            Registration(
                version="1",
                tasks=(
                    TaskSpec(id="publish", schema=NUMBERS),
                    TaskSpec(id="a/b c", retry=Retry(max_attempts=1)),
                ),
                streams=(
                    StreamSpec(name="approval", inward=True, schema=ANSWERS),
                    StreamSpec(name="notes", inward=True),
                    StreamSpec(name="progress", inward=False),
                ),
            )
        )
        return api
