"""Routes about blocked runs: what their bodies may be."""

import pytest

from tests.server.house import House


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"[]", 400, "Expected `object`"),
        (b'{"skip":[1],"skip":[2]}', 400, "twice"),
        (b'{"skip":1}', 400, "$.skip"),
        (b'{"skip":["1"]}', 400, "$.skip"),
        (b'{"skip":[1.5]}', 400, "$.skip"),
        (b'{"insert":[7]}', 400, "$.insert"),
        (b'{"insert":["audit"]}', 400, "is no key"),
        (b'{"insert":["a\\u0000#0"]}', 400, "is no key"),
        (b"{}", 400, "nothing is accepted"),
        (b'{"skip":[0]}', 422, "is not blocked: it is QUEUED"),
        (b" " * 1_048_577, 413, "too large"),
    ],
    ids=range(12),
)
async def test_what_cannot_be_accepted_says_why(
    home: House, body: bytes, status: int, words: str
) -> None:
    run = await home.run()
    said = await home.ask("POST", f"/api/headrace/v1/runs/{run}/accept", body)
    assert said.status == status
    assert words in str(said.json["error"])


@pytest.mark.parametrize("verb", ["unblock", "restart", "accept"])
async def test_of_a_run_that_is_not_there_all_say_so(home: House, verb: str) -> None:
    said = await home.ask("POST", f"/api/headrace/v1/runs/run_nobody/{verb}", b'{"skip":[0]}')
    assert (said.status, said.json["code"]) == (404, "not_found")
