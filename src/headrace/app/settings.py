"""What the environment says.

Owns: the names of settings and what they may be. Must never know: what is done with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from headrace.errors import BadRequest

HOST: Final = "127.0.0.1"
PORT: Final = 8700
SLOTS: Final = 100
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

TOKEN_RATE: Final = 60
SNAPSHOTS: Final = ("warm", "always", "off")
REPLAYS: Final = ("cold", "always")
KEY_LETTERS: Final = 16
SETTINGS: Final[Mapping[str, str]] = {
    "HEADRACE_HOME": "the folder of key and database; .headrace here or in a folder above",
    "HEADRACE_DATABASE": "sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/NAME; without it "
    "headrace.db in the home folder",
    "HEADRACE_MIGRATE": "1: dev and serve bring the database up to the present; 0: they do not, "
    "and `headrace db migrate` has to; 1",
    "HEADRACE_REDIS": "redis://[:PASSWORD@]HOST[:PORT][/DB], for hints between servers; none",
    "HEADRACE_STREAMS": "database, or s2://BASIN?endpoint=http://HOST:PORT; database",
    "HEADRACE_S2_TOKEN": "the access token for S2; s2-lite asks for none",
    "HEADRACE_URL": "where the server is; without it the one that runs on the home folder",
    "HEADRACE_SECRET_KEY": "the root key, sent or accepted; without it the one in the home folder",
    "HEADRACE_MASTER_KEY": "seals the root keys in the database; else the one in the home folder",
    "HEADRACE_TOKEN_RATE": f"requests a minute with one public token; 0 any; {TOKEN_RATE}",
    "HEADRACE_KEY_RATE": "requests a minute with one secret key; 0 any; 0",
    "HEADRACE_HOST": f"the address that dev and serve listen on; {HOST}",
    "HEADRACE_PORT": f"the port that dev and serve listen on; {PORT}",
    "HEADRACE_SLOTS": f"how many runs a worker executes at once; {SLOTS}",
    "HEADRACE_DEBUG": "anything: errors show where they come from",
    "HEADRACE_MEMORY": "MiB near which a worker is replaced; without it never",
    "HEADRACE_STRICT": "1: a step recorded with other arguments blocks its run; 0: it warns; "
    "1 in dev, else 0",
    "HEADRACE_SNAPSHOT": "always: runs are saved and put away at every wait; off: never; "
    "warm: when they have waited for a while; warm",
    "HEADRACE_REPLAY": "always: runs are put away at every wait and replayed from the top; "
    "cold: only where memory and snapshot are lost; cold",
    "HEADRACE_SNAPSHOT_KEY": "seals the snapshots of an environment's workers; two, with a comma, "
    "while one is replaced: the first seals; without it the one in the home folder",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. Empty text, or None, is what was not set."""

    home: Path | None = None
    database: str = field(default="", repr=False)
    migrates: bool = True
    redis: str = field(default="", repr=False)
    streams: str = ""
    s2_token: str = field(default="", repr=False)
    url: str = ""
    key: str = field(default="", repr=False)
    master: str = field(default="", repr=False)
    token_rate: int = TOKEN_RATE
    key_rate: int = 0
    host: str = HOST
    port: int = PORT
    slots: int = SLOTS
    memory_mib: int = 0
    strict: bool | None = None
    snapshots: str = "warm"
    replays: str = "cold"
    snapshot_keys: tuple[str, ...] = field(default=(), repr=False)


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings, or say which is wrong."""
    home, url = environment.get("HEADRACE_HOME", ""), environment.get("HEADRACE_URL", "")
    if url and urlsplit(url).scheme not in {"http", "https"}:
        raise BadRequest("HEADRACE_URL is no http:// or https:// URL")
    return Settings(
        home=Path(home) if home else None,
        database=environment.get("HEADRACE_DATABASE", ""),
        migrates=_switch(environment, "HEADRACE_MIGRATE") is not False,
        redis=environment.get("HEADRACE_REDIS", ""),
        streams=streams_place(environment.get("HEADRACE_STREAMS", ""), "HEADRACE_STREAMS"),
        s2_token=environment.get("HEADRACE_S2_TOKEN", "").strip(),
        url=url.rstrip("/"),
        key=_key(environment.get("HEADRACE_SECRET_KEY", "")),
        master=_long(environment.get("HEADRACE_MASTER_KEY", ""), "HEADRACE_MASTER_KEY"),
        token_rate=_number(environment, "HEADRACE_TOKEN_RATE", TOKEN_RATE),
        key_rate=_number(environment, "HEADRACE_KEY_RATE", 0),
        host=environment.get("HEADRACE_HOST", "") or HOST,
        port=_number(environment, "HEADRACE_PORT", PORT, most=65_535),
        slots=_number(environment, "HEADRACE_SLOTS", SLOTS),
        memory_mib=_number(environment, "HEADRACE_MEMORY", 0),
        strict=_switch(environment, "HEADRACE_STRICT"),
        snapshots=_choice(environment, "HEADRACE_SNAPSHOT", SNAPSHOTS),
        replays=_choice(environment, "HEADRACE_REPLAY", REPLAYS),
        snapshot_keys=_snapshot_keys(environment.get("HEADRACE_SNAPSHOT_KEY", "")),
    )


def is_loopback(url: str) -> bool:
    """Tell whether the URL leads to this machine."""
    return urlsplit(url).hostname in LOOPBACK


def is_shared(database: str) -> bool:
    """Tell whether other machines may keep their runs in the same database."""
    return database.startswith(("postgresql://", "postgres://"))


def database_path(database: str, home: Path) -> Path:
    """Return the file of the database."""
    if not database:
        return home / "headrace.db"
    scheme, _, rest = database.partition(":///")
    if scheme != "sqlite" or not rest:
        # What it says may hold a password: name the scheme at the most.
        kind, mark, _ = database.partition("://")
        of = f"kind {kind[:20]!r}" if mark else "no kind"
        raise BadRequest(
            f"the database that is set (--database or HEADRACE_DATABASE) is of {of}",
            hint="It is sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.",
        )
    return Path(rest)


def streams_place(text: str, name: str) -> str:
    """Return where streams are kept: nothing for the database, else the URL."""
    if text in {"", "database"}:
        return ""
    if not text.startswith("s2://"):
        kind = text.partition(":")[0][:20]  # what follows may hold a secret
        raise BadRequest(
            f"{name} names a place of kind {kind!r}",
            hint="It is database, or s2://BASIN?endpoint=http://HOST:PORT.",
        )
    return text


def _key(text: str) -> str:
    if text and not (text.isascii() and text.isprintable() and " " not in text):
        raise BadRequest("HEADRACE_SECRET_KEY holds characters that no key has")
    return text


def _long(text: str, name: str) -> str:
    if text and len(text.strip()) < KEY_LETTERS:
        raise BadRequest(f"{name} is a key of fewer than {KEY_LETTERS} letters")
    return text.strip()


def _snapshot_keys(text: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if any(len(key) < KEY_LETTERS for key in keys):
        raise BadRequest(f"HEADRACE_SNAPSHOT_KEY holds a key of fewer than {KEY_LETTERS} letters")
    return keys


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices; the first is the usual one."""
    text = environment.get(name, "") or choices[0]
    if text not in choices:
        raise BadRequest(f"{name} is none of {', '.join(choices)}: {text[:20]!r}")
    return text


def _switch(environment: Mapping[str, str], name: str) -> bool | None:
    text = environment.get(name, "")
    if text not in {"", "0", "1"}:
        raise BadRequest(f"{name} is neither 0 nor 1: {text[:20]!r}")
    return text == "1" if text else None


def _number(environment: Mapping[str, str], name: str, usual: int, *, most: int = 1 << 31) -> int:
    text = environment.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal()) or int(text) > most:
        raise BadRequest(f"{name} is no number up to {most}: {text[:20]!r}")
    return int(text)
