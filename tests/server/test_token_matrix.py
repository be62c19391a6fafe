"""Public tokens, in every combination of algorithm, key, times, names, headers and spellings."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, cast

import pytest

from headrace.kernel.model import EnvId
from headrace.ports import Api, Ticket
from headrace.server import Door
from headrace.wire.keys import KeyOrder, Rotation
from tests.server.house import DEV, KEY, OTHER_KEY, Counting, House

HOUR_S: Final = 3_600
PEM: Final = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"
LEAST_CELLS: Final = 1_500


@dataclass(frozen=True, slots=True)
class Cell:
    """A token, and whether it is one."""

    name: str
    token: str
    is_good: bool


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(key: str, claims: str, head: str = '{"alg":"HS256"}', digest: str = "sha256") -> str:
    text = f"{b64(head.encode())}.{b64(claims.encode())}"
    mac = hmac.digest(key.encode(), text.encode(), digest) if digest else b""
    return f"{text}.{b64(mac)}"


def said(now_s: int, **changes: object) -> str:
    claims: dict[str, object] = {
        "sub": "dev", "pub": True, "scopes": ["read:runs"], "iat": now_s, "exp": now_s + 900,
        "iss": "https://id.trigger.dev", "aud": "https://api.trigger.dev",
    }  # fmt: skip
    claims |= changes
    return json.dumps({name: value for name, value in claims.items() if value is not GONE})


GONE: Final = object()
ALGORITHMS: Final = {
    "HS256": "sha256", "HS384": "sha384", "HS512": "sha512", "none": "", "None": "",
    "NONE": "sha256", "RS256": "sha256", "ES256": "sha256", "EdDSA": "sha512", "": "sha256",
    "hs256": "sha256", "HS256 ": "sha256",
}  # fmt: skip


def times(now: int) -> Mapping[str, tuple[Mapping[str, object], bool]]:
    """Return claims about time, and whether they are good ones."""
    return {
        "usual": ({}, True),
        "a float": ({"exp": now + 0.5}, True),
        "far": ({"exp": now + 10 * 365 * 86_400}, True),
        "issued later": ({"iat": now + HOUR_S}, True),
        "not issued": ({"iat": GONE}, True),
        "from before": ({"nbf": now - 1}, True),
        "no end": ({"exp": GONE}, False),
        "ended": ({"exp": now - 1}, False),
        "ends now": ({"exp": now}, False),
        "text": ({"exp": str(now + 900)}, False),
        "true": ({"exp": True}, False),
        "null": ({"exp": None}, False),
        "a list": ({"exp": [now + 900]}, False),
        "negative": ({"exp": -now}, False),
        "from later": ({"nbf": now + 60}, False),
        "from text": ({"nbf": "0"}, False),
    }


NAMES: Final[Sequence[tuple[Mapping[str, object], bool]]] = [
    ({"aud": ["https://api.trigger.dev"]}, True),
    ({"aud": ["https://x", "https://api.trigger.dev"]}, True),
    ({"jti": "a"}, True),
    ({"act": {"sub": "alice"}}, True),
    ({"realtime": {"skipColumns": ["payload"]}}, True),
    ({"whatever": {"deep": [1]}}, True),
    ({"aud": []}, False),
    ({"aud": "https://api.trigger.dev/"}, False),
    ({"aud": "https://api.trigger.de"}, False),
    ({"aud": ["https://api.trigger.dev.evil"]}, False),
    ({"aud": GONE}, False),
    ({"aud": None}, False),
    ({"iss": "https://id.trigger.dev/"}, False),
    ({"iss": "https://id.trigger"}, False),
    ({"iss": ["https://id.trigger.dev"]}, False),
    ({"iss": GONE}, False),
    ({"sub": "prod"}, False),
    ({"sub": "dev "}, False),
    ({"sub": "DEV"}, False),
    ({"sub": ""}, False),
    ({"sub": None}, False),
    ({"sub": ["dev"]}, False),
    ({"sub": "../dev"}, False),
    ({"sub": "dev' OR 1=1 --"}, False),
    ({"sub": GONE}, False),
    ({"pub": False}, False),
    ({"pub": "true"}, False),
    ({"pub": 1}, False),
    ({"pub": GONE}, False),
    ({"uses": -1}, False),
    ({"uses": "1"}, False),
    ({"act": "alice"}, False),
    ({"otu": "yes"}, False),
]
HEADS: Final[Sequence[tuple[str, bool]]] = [
    ('{"alg":"HS256"}', True),
    ('{"alg":"HS256","typ":"JWT"}', True),
    ('{"typ":"JWT","alg":"HS256"}', True),
    (' {"alg" : "HS256" }', True),
    ('{"alg":"HS256","kid":"../../../../dev/null"}', False),
    ('{"alg":"HS256","kid":"1\' UNION SELECT 1 --"}', False),
    ('{"alg":"HS256","kid":""}', False),
    ('{"alg":"HS256","jku":"https://example.com/keys"}', False),
    ('{"alg":"HS256","x5u":"https://example.com/cert"}', False),
    ('{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}', False),
    ('{"alg":"HS256","crit":["exp"]}', False),
    ('{"alg":"HS256","b64":false}', False),
    ('{"alg":"HS256","zip":"DEF"}', False),
    ('{"alg":"HS256","typ":"run+jwt"}', False),
    ('{"alg":"HS256","cty":"JWT"}', False),
    ('{"alg":"none","alg":"HS256"}', False),
    ('{"alg":"HS256","alg":"none"}', False),
    ('{"alg":["HS256"]}', False),
    ('{"alg":null}', False),
    ("{}", False),
    ("[]", False),
    ("null", False),
    ("HS256", False),
    ("", False),
    ('{"alg":"HS256","pad":"' + "x" * 5_000 + '"}', False),
]


@pytest.fixture
async def keys(home: House) -> Mapping[str, tuple[str, bool]]:
    """Every sort of key, and whether it signs."""
    made = {
        name: await home.api.create_key(KeyOrder()) for name in ("kept", "graced", "late", "gone")
    }
    late = await home.api.rotate_key(made["late"].key.id, Rotation(grace="1h"))
    home.clock.advance(HOUR_S * 1_000)
    replaced = await home.api.rotate_key(made["graced"].key.id, Rotation(grace="1h"))
    await home.api.revoke_key(made["gone"].key.id)
    restricted = await home.api.create_key(KeyOrder(scopes=["admin"]))
    return {
        "given": (KEY, True),
        "kept": (made["kept"].secret, True),
        "its successor": (late.secret, True),
        "in its grace": (made["graced"].secret, True),
        "just made": (replaced.secret, True),
        "after its grace": (made["late"].secret, False),
        "revoked": (made["gone"].secret, False),
        "restricted": (restricted.secret, False),
        "of prod": (OTHER_KEY, False),
        "none": ("", False),
        "a public key": (PEM, False),
        "its hash": (sha256(KEY.encode()).hexdigest(), False),
        "the environment": ("dev", False),
    }


def matrix(keys: Mapping[str, tuple[str, bool]], now: int) -> Iterator[Cell]:
    """Yield every cell."""
    for (k, (key, signs)), (alg, digest), (t, (claims, in_time)) in itertools.product(
        keys.items(), ALGORITHMS.items(), times(now).items()
    ):
        token = signed(key, said(now, **claims), json.dumps({"alg": alg}), digest)
        yield Cell(f"key {k}, {alg!r}, {t}", token, signs and in_time and alg == "HS256")
    for (k, (key, signs)), (claims, named) in itertools.product(keys.items(), NAMES):
        if (k, claims.get("sub")) == ("of prod", "prod"):
            continue  # a good token, which sees nothing of dev: see test_environments
        yield Cell(f"key {k}, {claims}", signed(key, said(now, **claims)), signs and named)
    for (k, (key, signs)), (head, plain) in itertools.product(keys.items(), HEADS):
        yield Cell(f"key {k}, {head[:60]}", signed(key, said(now), head), signs and plain)
    yield from spellings(signed(KEY, said(now)), now)


def spellings(good: str, now: int) -> Iterator[Cell]:
    """Yield what is nearly a good token."""
    head, body, mac = good.split(".")
    swapped = mac[:-1] + chr(ord(mac[-1]) + 1)
    doubled = said(now)[:-1] + ',"sub":"dev"}'
    nearly = {
        "padded": f"{head}.{body}.{mac}=",
        "a padded body": f"{head}.{body}==.{mac}",
        "spare bits": f"{head}.{body}.{swapped}",
        "a dot more": f"{good}.",
        "a dot before": f".{good}",
        "a part less": f"{head}.{body}",
        "no signature": f"{head}.{body}.",
        "no body": f"{head}..{mac}",
        "twice": f"{good},{good}",
        "five parts": f"{good}.{body}.{mac}",
        "cut": good[:-1],
        "longer": f"{good}A",
        "upper case": good.upper(),
        "quoted": f'"{good}"',
        "a null": f"{good}%00",
        "a claim twice": signed(KEY, doubled),
        "not UTF-8": f"{head}.{b64(bytes([255, 254]))}.{mac}",
        "a body that is a list": signed(KEY, "[]"),
        "a body that is no JSON": signed(KEY, "{"),
        "a body with NaN": signed(KEY, said(now)[:-1] + ',"exp":NaN}'),
        "a body too deep": signed(KEY, "[" * 900 + "]" * 900),
        "a megabyte": signed(KEY, said(now, pad="x" * 1_048_576)),
    }
    yield Cell("as it is", good, is_good=True)
    for name, token in nearly.items():
        yield Cell(name, token, is_good=False)


class Watched:
    """Counts who was let through to the use cases."""

    def __init__(self, house: House) -> None:
        self._house, self.asked = house, 0

    def at(
        self,
        env: EnvId,
        *,
        trusted: bool = True,
        ticket: Ticket | None = None,
        skips: Sequence[str] | None = None,
    ) -> Api:
        self.asked += 1
        return self._house.engine.at(env, trusted=trusted, ticket=ticket, skips=skips)

    async def call_back(self, token: str, proof: str, data: bytes) -> None:
        self.asked += 1
        await self._house.engine.call_back(token, proof, data)


async def test_of_all_tokens_only_the_good_ones_pass(
    home: House, keys: Mapping[str, tuple[str, bool]]
) -> None:
    async def ready() -> bool:
        return True

    run = await home.run()
    watched = Watched(home)
    door = Door(watched, home.ring, clock=home.clock, chance=Counting(), ready=ready)
    wrong, counts = list[str](), {True: 0, False: 0}
    for cell in matrix(keys, home.clock.now() // 1_000):
        before = watched.asked
        status = await _asked(door, f"/api/v3/runs/{run}", cell.token)
        counts[cell.is_good] += 1
        if status != (200 if cell.is_good else 401):
            wrong.append(f"{status}: {cell.name}")
        if status == 401 and watched.asked != before:
            wrong.append(f"looked up: {cell.name}")
    assert not wrong
    assert sum(counts.values()) >= LEAST_CELLS
    assert counts[True] > 50


@pytest.mark.parametrize("route", ["POST /api/v1/auth/jwt/claims", "GET /api/headrace/v1/keys"])
async def test_no_token_opens_what_takes_a_key(home: House, route: str) -> None:
    method, path = route.split()
    for scope in ("admin", "*:all", "admin:apiKeys", "write:apiKeys", "read:all"):
        token = home.token(scope)
        assert (await home.ask(method, path, key=token)).status == 401
        assert (await home.ask(method, path, key=f"{DEV}.{token}")).status == 401


async def _asked(door: Door, path: str, token: str) -> int:
    """Ask the app itself, and return the status."""
    answered: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, object]) -> None:
        if message["type"] == "http.response.start":
            answered.append(cast("int", message["status"]))

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer " + token.encode())],
    }
    await door(scope, receive, send)
    return answered[0]
