"""Where streams are kept: a basin, an endpoint, a token; and how long one waits for it.

Owns: the form of the URL. Must never know: how S2 is spoken to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from headrace.errors import BadRequest

FORM: Final = "s2://BASIN or s2://BASIN?endpoint=http://HOST:PORT"
SHORTEST, LONGEST = 8, 48
"""Letters of a basin's name, as S2 wants them."""
FILLED: Final = "headrace-"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
NOBODY: Final = "none"
"""What is sent to a server of one's own that asks for no token: there has to be something."""
_BASIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Place:
    """A basin. Without an `endpoint` it is in S2's cloud. `prefix` begins the names of streams."""

    basin: str
    endpoint: str = ""
    prefix: str = ""
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        """Name it, without its token."""
        return f"basin {self.basin!r} at {self.endpoint or 's2.dev'}"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long S2 is waited for, in seconds. Nothing asks S2 itself to wait."""

    silence: float = 1.5
    """Within a call; then it is made again, by a new connection."""
    connecting: float = 1.0
    """What has been connected and then says nothing counts as not connected."""
    call: float = 8.0
    """One call in all: the client sets no limit to sending."""
    everything: float = 10.0
    """A call, and the same one again while it fails for what may pass."""


def place_of(url: str, token: str = "") -> Place:
    """Return the place that the URL names, or say what is wrong with it."""
    parts = _split(url)
    endpoint = _endpoint(parts)
    if not endpoint and not token:
        raise BadRequest(
            "streams in S2's cloud need a token",
            hint="Set HEADRACE_S2_TOKEN, or name a server of your own: ?endpoint=http://HOST:PORT",
        )
    if token and _is_open(endpoint):
        raise BadRequest(
            "the token for S2 would travel unencrypted",
            hint="Use an https:// endpoint; a server that asks for no token needs none.",
        )
    prefix = parts.path.strip("/")
    return Place(_basin(parts.netloc), endpoint, f"{prefix}/" if prefix else "", token or NOBODY)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        has_user = parts.username is not None or parts.password is not None
    except ValueError:
        raise BadRequest("the place of the streams is no URL", hint=f"It is {FORM}.") from None
    if parts.scheme != "s2" or not parts.netloc or parts.fragment:
        raise BadRequest("the place of the streams is no s2:// URL", hint=f"It is {FORM}.")
    if has_user or "token" in parse_qs(parts.query, keep_blank_values=True):
        raise BadRequest(
            "the URL of the streams holds a secret", hint="Put the token into HEADRACE_S2_TOKEN."
        )
    return parts


def _basin(name: str) -> str:
    """Return the basin's name; what is shorter than S2 allows is filled up."""
    full = name if len(name) >= SHORTEST else f"{FILLED}{name}"
    if not _BASIN.fullmatch(full) or len(full) > LONGEST:
        raise BadRequest(
            f"{name[:LONGEST]!r} is no name of a basin",
            hint=f"It has up to {LONGEST} of a-z, 0-9 and -, and no - at its ends.",
        )
    return full


def _endpoint(parts: SplitResult) -> str:
    asked = parse_qs(parts.query, keep_blank_values=True)
    if unknown := sorted(asked.keys() - {"endpoint"}):
        raise BadRequest(
            f"the URL of the streams asks for {', '.join(unknown)[:80]!r}", hint=f"It is {FORM}."
        )
    endpoint = asked.get("endpoint", [""])[-1].rstrip("/")
    if endpoint and not _is_origin(endpoint):
        raise BadRequest(
            f"the endpoint of the streams is no origin: {endpoint[:80]!r}",
            hint="It is http://HOST:PORT or https://HOST, without a path.",
        )
    return endpoint


def _is_origin(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        return False
    bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and bare and port_is_one


def _is_open(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK
