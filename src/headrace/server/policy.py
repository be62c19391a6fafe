"""Who may call what.

Owns: authentication, and the policies that routes declare. Nothing is looked up before the caller
is known, and a caller without the permission cannot learn whether something exists.
Must never know: any handler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headrace.errors import Forbidden, NotFound, Unauthorized
from headrace.ports import Clock, Keys
from headrace.server.calls import Call, Caller, Headers
from headrace.wire.scopes import Permits
from headrace.wire.tokens import Verifier


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
            return Caller(token.env, token, token, token.digest)
        holder = self._keys.find(secret)
        if holder is None:
            raise Unauthorized(
                "Invalid API key", hint="this server has no such key, or has it no more"
            )
        return Caller(holder.env, None, holder.permits, holder.digest)


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
    """Only a secret key; a token is no credential here at all.

    A restricted key must permit `action` on all of `kind`, and what else it `needs` as well.
    """

    action: str
    kind: str
    needs: tuple[tuple[str, str], ...] = ()
    open: bool = False

    @property
    def words(self) -> str:
        """Say what a restricted key needs."""
        scopes = [f"{action}:{kind}" for action, kind in self._all]
        return f"secret key (a restricted one: {' and '.join(scopes)})"

    @property
    def _all(self) -> tuple[tuple[str, str], ...]:
        return ((self.action, self.kind), *self.needs)

    async def admit(self, call: Call) -> None:
        """Refuse tokens, and keys that do not permit it."""
        permits = _of_key(call)
        for action, kind in self._all:
            if permits and not permits.grants(action, [(kind, None)]):
                raise forbidden(action, kind)


@dataclass(frozen=True, slots=True)
class AdminKey:
    """Only a secret key that permits everything: it declares code, or runs it."""

    open: bool = False
    words: str = "secret key (a restricted one: admin)"

    async def admit(self, call: Call) -> None:
        """Refuse tokens, and keys that permit less."""
        permits = _of_key(call)
        if permits and not permits.grants("admin", [("", None)]):
            raise forbidden("admin", "everything")


@dataclass(frozen=True, slots=True)
class Uploads:
    """Only a secret key; a restricted one that may start runs, if only of one task."""

    open: bool = False
    words: str = "secret key (a restricted one: write:runs, or trigger:tasks:TASK of any task)"

    async def admit(self, call: Call) -> None:
        """Refuse tokens, and keys for which there would be nothing to upload."""
        permits = _of_key(call)
        if permits is None or permits.grants("write", [("runs", None)]):
            return
        if not permits.reaches("trigger", "tasks"):
            raise forbidden("trigger", "tasks")


@dataclass(frozen=True, slots=True)
class AnyKey:
    """Any secret key; what a restricted one may have is for the route to compare."""

    open: bool = False
    words: str = "secret key"

    async def admit(self, call: Call) -> None:
        """Refuse tokens."""
        _of_key(call)


@dataclass(frozen=True, slots=True)
class RootKey:
    """Only a root key: who could make keys could do everything."""

    open: bool = False
    words: str = "root key"

    async def admit(self, call: Call) -> None:
        """Refuse tokens and restricted keys."""
        if _of_key(call) is not None:
            raise forbidden("admin", "everything: it takes a root key")


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
        token = _permits(call)
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
        token, run = _permits(call), call.params["run"]
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
        token, run = _permits(call), call.params["run"]
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
class ReadsInput:
    """Who may read the run, or just this; what was sent to a trusted stream, only by its name."""

    open: bool = False
    words: str = (
        "secret key, or scope read:inputStreams:{run}:{stream}; unless the stream is trusted, or"
        " read:inputStreams:{run}, or any by which the run may be read"
    )

    async def admit(self, call: Call) -> None:
        """Read the run only if the token does not name it, the stream only for who sees the run."""
        token, run, stream = _permits(call), call.params["run"], call.params["stream"]
        if token is None or names_stream(call, "read"):
            return
        if not token.grants("read", [("inputStreams", run)]):
            await OfRun("read").admit(call)
        if call.caller is not None and call.caller.is_secret:
            return
        declared = await call.api.listing()
        streams = () if declared is None else declared.streams
        if any(one.inward and one.trusted and one.name == stream for one in streams):
            raise forbidden("read", f"inputStreams:{run}:{stream}")


@dataclass(frozen=True, slots=True)
class ListsRuns:
    """A secret key, or a token for all runs, all tasks, or every task that is filtered by."""

    open: bool = False
    words: str = "secret key, or scope read:runs or read:tasks, or read:tasks:TASK of every filter"

    async def admit(self, call: Call) -> None:
        """Look into the token and the query only."""
        token = _permits(call)
        if token is None or token.grants("read", [("runs", None), ("tasks", None)]):
            return
        tasks = call.query.get("filter[taskIdentifier]", "").split(",")
        if not all(task and token.grants("read", [("tasks", task)]) for task in tasks):
            raise forbidden("read", "runs")


@dataclass(frozen=True, slots=True)
class FollowsTags:
    """A secret key, or a token for all runs, all tags, or one of the tags that are asked for."""

    open: bool = False
    words: str = (
        "secret key, or scope read:runs or read:tags, or read:tags:TAG of one that is named"
    )

    async def admit(self, call: Call) -> None:
        """Look into the token and the query only."""
        token = _permits(call)
        named = [("tags", tag) for tag in call.query.get("tags", "").split(",") if tag]
        if token and not token.grants("read", [("runs", None), ("tags", None), *named]):
            raise forbidden("read", "tags")


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
        token = _permits(call)
        if token and not token.grants(self.action, [(self.kind, None)]):
            raise forbidden(self.action, self.kind)


def takes_tokens(policy: Policy) -> bool:
    """Tell whether a public token may be enough."""
    only_keys = SecretKey | AdminKey | Uploads | AnyKey | RootKey
    return not (policy.open or isinstance(policy, only_keys))


def names_stream(call: Call, action: str = "write") -> bool:
    """Tell whether the token permits this very stream, not just all of the run's."""
    token = _permits(call)
    name = f"{call.params['run']}:{call.params['stream']}"
    return token is not None and token.names(action, "inputStreams", name)


def forbidden(action: str, resource: str) -> Forbidden:
    """Say which permission is missing."""
    return Forbidden("Unauthorized", hint=f"the token does not permit {action} on {resource}")


def is_trusted(call: Call) -> bool:
    """Tell whether the caller may send to trusted streams: by a secret key, or by its name."""
    return call.caller is None or call.caller.is_secret or names_stream(call)


def _permits(call: Call) -> Permits | None:
    return call.caller.permits if call.caller else None


def _of_key(call: Call) -> Permits | None:
    """Return what a secret key permits; refuse a token."""
    if call.caller is not None and not call.caller.is_secret:
        raise Unauthorized("Invalid API key", hint="a public token cannot do this")
    return _permits(call)
