"""Public tokens: the scope grammar to the letter, and every way in which a token is no good."""

import base64
import hmac
import json

import pytest

from headrace.errors import Unauthorized
from headrace.kernel.model import EnvId, Instant
from headrace.wire import tokens
from headrace.wire.tokens import Scope, Verifier, mint, parse_scope

ENV = EnvId("dev")
KEY = "tr_dev_0123456789abcdefghijklmn"
NOW = Instant(1_700_000_000_000)


def verifier(**keys: list[str]) -> Verifier:
    known = keys or {"dev": [KEY]}
    return Verifier(lambda env: known.get(env, []))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(key: str = KEY, header: object = None, **changes: object) -> str:
    """Sign a token by hand, as the official clients do; None takes a claim away."""
    claims = {
        "sub": "dev", "pub": True, "scopes": ["read:runs:run_1"], "iat": 1_700_000_000,
        "exp": 1_700_000_900, "iss": "https://id.trigger.dev", "aud": "https://api.trigger.dev",
    } | changes  # fmt: skip
    kept = {name: value for name, value in claims.items() if value is not None}
    head = {"alg": "HS256"} if header is None else header
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(kept).encode())
    return text + "." + b64(hmac.digest(key.encode(), text.encode(), "sha256"))


def test_a_token_signed_by_a_client_is_read() -> None:
    token = verifier().verify(signed(otu=True, act={"sub": "alice"}), NOW)

    assert token.env == ENV
    assert token.scopes == (Scope("read", "runs", "run_1"),)
    assert token.expires == 1_700_000_900_000
    assert token.single_use
    assert token.actor == "alice"


def test_a_minted_token_is_as_a_client_would_sign_it() -> None:
    token = mint(KEY, ENV, ["read:runs:run_1"], NOW, ttl_ms=60_000)

    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==")) == {"alg": "HS256"}
    assert verifier().verify(token, NOW).grants("read", [("runs", "run_1")])
    with pytest.raises(Unauthorized, match="expired"):
        verifier().verify(token, Instant(NOW + 60_000))


@pytest.mark.parametrize(
    "token",
    [
        signed(key="tr_dev_another_key_of_the_very_same_len"),
        signed(iss="https://example.com"),
        signed(aud="https://example.com"),
        signed(aud=["https://example.com"]),
        signed(sub="prod"),
        signed(sub=5),
        signed(pub=False),
        signed(pub=None),
        signed(exp=None),
        signed(exp="never"),
        signed(exp=1_699_999_999),
        signed(nbf=1_700_000_100),
        signed(iss=None),
        signed(aud=None),
        signed(sub=None),
        signed(header={"alg": "none"}),
        signed(header={"alg": "HS512"}),
        signed(header={"alg": "RS256"}),
        signed(header={"alg": "HS256", "crit": ["exp"]}),
        signed(header={}),
        signed(header=[]),
        signed()[:-1],
        signed() + "A",
        signed() + ".x",
        ".".join([*signed().split(".")[:2], ""]),
        "..",
        "a.b.c",
        "é.é.é",
        "\ud800.a.b",
        "",
        signed(scopes=["x" * 5_000]),
    ],
)
def test_a_token_that_is_no_good(token: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        verifier().verify(token, NOW)

    assert KEY not in str(refused.value)
    assert not token or token not in str(refused.value)


def test_an_audience_may_be_one_of_several() -> None:
    token = signed(aud=["https://x", "https://api.trigger.dev"])

    assert verifier().verify(token, NOW).env == ENV


@pytest.mark.parametrize("scopes", [None, "read:runs", 5, {"read": "runs"}, [1], []])
def test_scopes_that_are_no_list_of_texts_permit_nothing(scopes: object) -> None:
    assert verifier().verify(signed(scopes=scopes), NOW).scopes == ()


def test_a_known_token_ends_when_it_expires_or_its_key_goes() -> None:
    keys = {"dev": [KEY]}
    kept = Verifier(lambda env: keys.get(env, []))
    token = signed()
    assert kept.verify(token, NOW) is kept.verify(token, NOW)

    with pytest.raises(Unauthorized, match="expired"):
        kept.verify(token, Instant(1_700_000_900_000))
    keys["dev"] = ["tr_dev_rotated", KEY]
    assert kept.verify(token, NOW).env == ENV
    keys["dev"] = ["tr_dev_rotated"]
    with pytest.raises(Unauthorized):
        kept.verify(token, NOW)


def test_only_so_many_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_REMEMBERED", 2)
    kept = verifier()
    many = [signed(jti=str(number)) for number in range(3)]
    first, *_, last = (kept.verify(token, NOW) for token in many)

    assert kept.verify(many[-1], NOW) is last
    assert kept.verify(many[0], NOW) is not first


@pytest.mark.parametrize(
    ("scope", "asked", "granted"),
    [
        ("read:runs:run_1", ("read", "runs", "run_1"), True),
        ("read:runs:run_1", ("read", "runs", "run_2"), False),
        ("read:runs", ("read", "runs", "run_2"), True),
        ("read:all", ("read", "inputStreams", "run_2"), True),
        ("read:all:x", ("read", "runs", "run_2"), True),
        ("write:runs:run_1", ("read", "runs", "run_1"), False),
        ("read:runs:run_1", ("write", "inputStreams", "run_1"), False),
        ("*:runs:run_1", ("write", "runs", "run_1"), True),
        ("*:all", ("trigger", "tasks", "t"), True),
        ("*", ("read", "runs", "run_1"), False),
        ("admin", ("trigger", "tasks", "t"), True),
        ("admin:runs", ("read", "runs", "run_1"), False),
        ("admin:runs", ("admin", "runs", "run_1"), True),
        ("read", ("read", "runs", "run_1"), False),
        ("", ("read", "runs", "run_1"), False),
        (":runs", ("", "runs", "run_1"), False),
        ("read:runs:", ("read", "runs", "run_1"), False),
        ("read:", ("read", "runs", "run_1"), False),
        ("Read:runs", ("read", "runs", "run_1"), False),
        ("read:tags:env:staging", ("read", "tags", "env:staging"), True),
        ("read:tags:env", ("read", "tags", "env:staging"), False),
        ("write:inputStreams:run_1:approval", ("write", "inputStreams", "run_1:approval"), True),
        ("write:inputStreams:run_1:approval", ("write", "inputStreams", "run_1"), False),
        ("trigger:tasks:a/b", ("trigger", "tasks", "a/b"), True),
        ("triggers:tasks", ("trigger", "tasks", "a"), False),
    ],
)
def test_the_scope_grammar(scope: str, asked: tuple[str, str, str], granted: bool) -> None:  # noqa: FBT001
    assert parse_scope(scope).grants(*asked) is granted


def test_any_listed_resource_suffices() -> None:
    token = verifier().verify(signed(scopes=["read:tags:a", "nonsense"]), NOW)

    assert token.grants("read", [("runs", "run_1"), ("tags", "a")])
    assert not token.grants("read", [("runs", "run_1"), ("tags", "b")])
    assert not token.grants("read", [])
