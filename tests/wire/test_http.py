"""Errors over HTTP: every one has a status, and comes back as what it was."""

import json

import pytest

from headrace import errors
from headrace.errors import (
    BadRequest,
    BadValue,
    Forbidden,
    HeadraceError,
    Mistake,
    NotFound,
    Throttled,
    TooLarge,
    Trouble,
    Unauthorized,
    Unavailable,
    Verdict,
)
from headrace.wire import http

PUBLIC: list[type[HeadraceError]] = [getattr(errors, name) for name in errors.__all__]
KINDS = [kind for kind in PUBLIC if issubclass(kind, Mistake | Trouble)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_comes_back_as_what_it_was(kind: type[HeadraceError]) -> None:
    said = kind("what happened", hint="what to do")
    again = http.error_of(http.status_of(said), http.body_of(said), http.headers_of(said))

    assert type(again) is kind
    assert (again.message, again.hint) == ("what happened", "what to do")


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_says_whose_fault(kind: type[HeadraceError]) -> None:
    status = http.status_of(kind("x"))

    assert (400 <= status < 500 and status not in {408, 409, 429}) == issubclass(kind, Mistake)
    assert kind.code in http.STATUS


def test_facts_come_back() -> None:
    value = BadValue("no", path="/a/0")
    over = errors.RunIsOver("no", run="run_1", seq=4.5, nothing=None)
    late = Throttled("later", retry_after=2.5)

    assert json.loads(http.body_of(value))["path"] == "/a/0"
    again = http.error_of(422, http.body_of(value), {})
    assert isinstance(again, BadValue)
    assert again.path == "/a/0"
    assert http.error_of(400, http.body_of(over), {}).facts == {"run": "run_1", "seq": 4.5}
    throttled = http.error_of(429, http.body_of(late), http.headers_of(late))
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == 2.5
    assert http.headers_of(late) == {"retry-after": "3"}


def test_the_words_that_the_official_clients_know() -> None:
    assert json.loads(http.body_of(Forbidden("Unauthorized"))) == {
        "ok": False, "error": "Unauthorized", "code": "unauthorized",
        "param": "access_token", "type": "authorization",
    }  # fmt: skip
    assert json.loads(http.body_of(NotFound("Not found"))) == {
        "ok": False, "error": "Not found", "code": "not_found",
    }  # fmt: skip
    assert http.headers_of(NotFound("x")) == {"x-should-retry": "false"}


def test_what_nobody_should_see_is_500() -> None:
    assert http.status_of(Verdict("x")) == 500
    assert http.status_of(HeadraceError("x")) == 500


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", Unauthorized),
        (403, b'{"error":"no"}', Forbidden),
        (404, b"not json", NotFound),
        (413, b'{"error":{"message":"x"}}', TooLarge),
        (400, b"[]", BadRequest),
        (422, b'{"code":"unheard_of"}', Mistake),
        (405, b"", Mistake),
        (409, b"", Mistake),
        (408, b"", Unavailable),
        (429, b"", Throttled),
        (500, b'{"error":"Internal Server Error"}', Unavailable),
        (502, b"<html>", Unavailable),
        (503, b"\xff", Unavailable),
        (503, b"[" * 100_000, Unavailable),
    ],
)
def test_answers_of_others_are_understood(
    status: int, body: bytes, kind: type[HeadraceError]
) -> None:
    error = http.error_of(status, body, {"retry-after": "7"})

    assert type(error) is kind
    assert error.message
    assert not isinstance(error, Throttled) or error.retry_after == 7
