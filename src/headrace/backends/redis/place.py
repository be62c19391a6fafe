"""Which Redis is meant: `redis://[user[:password]@]host[:port][/db]`; `rediss://` with TLS.

Owns: the form of the URL. Must never know: any connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from headrace.errors import Mistake

PORT = 6379
FORM = "redis://[:password@]host[:port][/db], or rediss:// with TLS"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Redis is, and how to get in. `ca_file`: whom to trust, else whom the system does."""

    host: str
    port: int = PORT
    db: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None

    def __str__(self) -> str:
        """Return its URL, without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' * self.tls}://{host}:{self.port}/{self.db}"


def place_of(url: str) -> Place:
    """Read the URL. What is wrong is said without its password."""
    try:
        parts = urlsplit(url)
        port, host = parts.port or PORT, parts.hostname
    except ValueError:
        raise _malformed("host or port") from None
    if parts.scheme not in {"redis", "rediss"} or not host:
        raise _malformed("scheme or host")
    number = parts.path.strip("/") or "0"
    if not (number.isascii() and number.isdigit()):
        raise _malformed("number of the database")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    ca_file = options.pop("ca_file", None)
    if options or (ca_file is not None and parts.scheme == "redis"):
        raise _malformed("options: there is only ca_file, with rediss://")
    return Place(
        host=host,
        port=port,
        db=int(number),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "rediss",
        ca_file=ca_file,
    )


def _malformed(what: str) -> Mistake:
    return Mistake(f"the URL of Redis is malformed ({what})", hint=f"Write it as {FORM}.")
