"""Who may call what.

Owns: authentication, and the policies that routes declare. Nothing is looked up before the caller
is known, and a caller without the permission cannot learn whether something exists.
Must never know: any handler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace.errors import Forbidden, NotFound, Unauthorized
from headrace.kernel.model import EnvId
from headrace.ports import Clock
from headrace.server.calls import Call, Caller, Headers
from headrace.wire.tokens import PublicToken, Verifier


class Keys(Protocol):
    """The secret keys of every environment."""

    def find(self, secret: str) -> EnvId | None:
        """Return the environment that `secret` opens."""
        ...

    def of(self, env: EnvId) -> Sequence[str]:
        """Return the keys that may have signed a token of `env`."""
        ...


class Gate:
    """Tells who asks, by what the request carries."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys, self._clock = keys, clock
        self._verifier = Verifier(keys.of)

    def caller(self, headers: Headers) -> Caller:
        """Return the caller, or raise `Unauthorized`."""
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        secret = given.strip().decode("latin-1")
        if scheme.lower() != b"bearer" or not secret:
            raise Unauthorized(
                "Invalid or Missing API key", hint="send the header Authorization: Bearer KEY"
            )
        if secret.count(".") == 2:  # noqa: PLR2004 - a token has three parts, a key has one
            token = self._verifier.verify(secret, self._clock.now())
            return Caller(token.env, token)
        env = self._keys.find(secret)
        if env is None:
            raise Unauthorized("Invalid API key")
        return Caller(env)


class Policy(Protocol):
    """What a route demands of its caller."""

    @property
    def open(self) -> bool:
        """Tell whether anybody may call, without credentials."""
        ...

    @property
    def words(self) -> str:
        """Say it in a few words, for the documentation."""
        ...

    async def admit(self, call: Call) -> None:
        """Raise unless the caller may."""
        ...


@dataclass(frozen=True, slots=True)
class Anybody:
    """No credentials are asked for."""

    open: bool = True
    words: str = "none"

    async def admit(self, call: Call) -> None:
        """Let everybody in."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """Only a secret key; a token is no credential here at all."""

    open: bool = False
    words: str = "secret key"

    async def admit(self, call: Call) -> None:
        """Refuse tokens."""
        if _token(call) is not None:
            raise Unauthorized("Invalid API key", hint="a public token cannot do this")


@dataclass(frozen=True, slots=True)
class Scoped:
    """A secret key, or a token that permits `action` on `kind:{params[param]}`."""

    action: str
    kind: str
    param: str
    open: bool = False

    @property
    def words(self) -> str:
        """Say which scope."""
        return f"secret key, or scope {self.action}:{self.kind}:{{{self.param}}}"

    async def admit(self, call: Call) -> None:
        """Look into the token only: nothing is read for this."""
        token = _token(call)
        if token and not token.grants(self.action, [(self.kind, call.params[self.param])]):
            raise forbidden(self.action, f"{self.kind}:{call.params[self.param]}")


@dataclass(frozen=True, slots=True)
class Sends:
    """A secret key, or a token that permits `write` on the run's input streams or on this one."""

    open: bool = False
    words: str = (
        "secret key, or scope write:inputStreams:{run} or write:inputStreams:{run}:{stream}"
    )

    async def admit(self, call: Call) -> None:
        """Look into the token only: nothing is read for this."""
        token, run = _token(call), call.params["run"]
        if token and not (token.grants("write", [("inputStreams", run)]) or names_stream(call)):
            raise forbidden("write", f"inputStreams:{run}")


@dataclass(frozen=True, slots=True)
class OfRun:
    """A secret key, or a token that permits `action` on the run, its task or one of its tags."""

    action: str
    tags: bool = True
    open: bool = False

    @property
    def words(self) -> str:
        """Say which scopes."""
        kinds = ("runs:{run}", "tasks:TASK", *(["tags:TAG"] if self.tags else []))
        return "secret key, or scope " + " or ".join(f"{self.action}:{kind}" for kind in kinds)

    async def admit(self, call: Call) -> None:
        """Read the run only if the token does not name it."""
        token, run = _token(call), call.params["run"]
        if token is None or token.grants(self.action, [("runs", run)]):
            return
        try:
            view = await call.api.retrieve(run)
        except NotFound:
            raise forbidden(self.action, f"runs:{run}") from None
        resources = [("tasks", view.task_identifier)]
        if self.tags:
            resources += [("tags", tag) for tag in view.tags]
        if not token.grants(self.action, resources):
            raise forbidden(self.action, f"runs:{run}")


@dataclass(frozen=True, slots=True)
class ListsRuns:
    """A secret key, or a token for all runs, all tasks, or every task that is filtered by."""

    open: bool = False
    words: str = "secret key, or scope read:runs or read:tasks, or read:tasks:TASK of every filter"

    async def admit(self, call: Call) -> None:
        """Look into the token and the query only."""
        token = _token(call)
        if token is None or token.grants("read", [("runs", None), ("tasks", None)]):
            return
        tasks = call.query.get("filter[taskIdentifier]", "").split(",")
        if not all(task and token.grants("read", [("tasks", task)]) for task in tasks):
            raise forbidden("read", "runs")


@dataclass(frozen=True, slots=True)
class OfKind:
    """A secret key, or a token that permits `action` on all of `kind`."""

    action: str
    kind: str
    open: bool = False

    @property
    def words(self) -> str:
        """Say which scope."""
        return f"secret key, or scope {self.action}:{self.kind}"

    async def admit(self, call: Call) -> None:
        """Look into the token only: nothing is read for this."""
        token = _token(call)
        if token and not token.grants(self.action, [(self.kind, None)]):
            raise forbidden(self.action, self.kind)


def names_stream(call: Call) -> bool:
    """Tell whether the token permits this very stream, not just all of the run's."""
    token = _token(call)
    name = f"{call.params['run']}:{call.params['stream']}"
    return token is not None and token.names("write", "inputStreams", name)


def forbidden(action: str, resource: str) -> Forbidden:
    """Say which permission is missing."""
    return Forbidden("Unauthorized", hint=f"the token does not permit {action} on {resource}")


def _token(call: Call) -> PublicToken | None:
    return call.caller.token if call.caller else None
