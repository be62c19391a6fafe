"""What the errors of the driver mean: whose fault it is, and what to do.

Owns: the sentences. Must never know: any command.
"""

from __future__ import annotations

import ssl
from typing import Final

from redis import exceptions

from headrace.backends.redis.place import Place
from headrace.errors import HeadraceError, Mistake, Unavailable

TROUBLE: Final = (exceptions.RedisError, OSError, TimeoutError)
"""Whatever the driver raises."""
RIGHTS: Final = (
    "Allow it ~headrace:* &headrace:* +@connection +info +get +set +del +eval +evalsha +publish"
    " +subscribe."
)
PRIMARY: Final = "Name the primary in the URL."
SINGLE: Final = "Name a single Redis or Valkey."
PORT_HINT: Final = "Check host and port in the URL; if it speaks TLS, write rediss://."
GONE: Final = (exceptions.ConnectionError, exceptions.TimeoutError, OSError, TimeoutError)
"""The connection is lost, or nobody answers."""


def is_gone(error: BaseException) -> bool:
    """Tell whether nobody answers, so that asking again at once is pointless."""
    return isinstance(error, GONE)


def meaning(error: Exception, place: Place) -> HeadraceError:
    """Say what is wrong in one sentence, and in another what to do."""
    said = str(error) or "no answer in time"
    match error:
        case exceptions.AuthenticationError() | exceptions.AuthenticationWrongNumberOfArgsError():
            return _unknown(place, said)
        case exceptions.BusyLoadingError():
            return Unavailable(f"{place} is still loading its data", hint="Try again in a moment.")
        case exceptions.InvalidResponse():
            return Mistake(f"what answers at {place} is no Redis or Valkey", hint=PORT_HINT)
        case exceptions.ResponseError():
            return _refused(error, place, said)
        case _:
            return _unreachable(error, place, said)


def _refused(error: exceptions.ResponseError, place: Place, said: str) -> HeadraceError:
    match error:
        case exceptions.OutOfMemoryError():
            hint = "Give it more (maxmemory); nothing is lost, but sends look into the database."
            return Unavailable(f"{place} has no memory left", hint=hint)
        case exceptions.NoPermissionError():
            return Mistake(f"the user of {place} lacks a right: {said}", hint=RIGHTS)
        case exceptions.ReadOnlyError():
            return Mistake(f"{place} is a replica that can only be read", hint=PRIMARY)
        case exceptions.MovedError() | exceptions.ClusterDownError():
            return Mistake(f"{place} is part of a cluster", hint=SINGLE)
        case _ if "DB index" in said:
            hint = "Take a smaller number at the end of the URL, or raise its setting `databases`."
            return Mistake(f"{place} has no database {place.db}", hint=hint)
        case _:
            return Unavailable(f"{place} refuses a command: {said}", hint="See its log.")


def _unknown(place: Place, said: str) -> Mistake:
    if "without any password" in said or "no password is set" in said:
        hint = "Leave the password out of the URL."
        return Mistake(f"{place} has no password, but one was given", hint=hint)
    if place.password is None:
        hint = "Write it into the URL: redis://:PASSWORD@host:port/db."
        return Mistake(f"{place} needs a password", hint=hint)
    hint = "Correct it in the URL; characters such as @ / : # % are written as %40 %2F %3A %23 %25."
    return Mistake(f"{place} refuses the user or the password", hint=hint)


def _unreachable(error: Exception, place: Place, said: str) -> Unavailable:
    if place.tls and (_has(error, FileNotFoundError) or _has(error, PermissionError)):
        hint = "Name a file of certificates (PEM) that may be read, or leave ca_file out."
        return Unavailable(f"{place} cannot be reached: no {place.ca_file} to be read", hint=hint)
    if _has(error, ssl.SSLError):
        hint = "Check its certificate (?ca_file=FILE names the authority), or write redis://."
        return Unavailable(f"{place} cannot be reached by TLS: {said}", hint=hint)
    said = "nothing listens there" if _has(error, ConnectionRefusedError) else said
    hint = "Is it running? Check host and port in the URL; "
    hint += "if it speaks no TLS, write redis://." if place.tls else "with TLS, write rediss://."
    return Unavailable(f"{place} cannot be reached: {said}", hint=hint)


def _has(error: BaseException | None, kind: type[OSError]) -> bool:
    """Tell whether the error has such a cause."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
