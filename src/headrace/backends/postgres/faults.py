"""What the errors of the driver mean: whose fault it is, and whether anything was written.

Owns: the classes. Must never know: any query.

Rule 1: what breaks while an answer is awaited may or may not have happened; whatever the database
        itself refuses has not.
Rule 2: what is nobody's fault, or that of whoever runs the database, is told as trouble, whatever
        its number: no run fails for it, and no server ends.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from headrace.errors import BadRequest, HeadraceError, Mistake, Unavailable

AGAIN: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Two got into each other's way; nothing was written, and once more it goes."""
TAKEN: Final = (asyncpg.UniqueViolationError, asyncpg.NotNullViolationError)
"""What was to be written is there already, or what it follows on is not."""
BAD_TEXT: Final = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.DataError,
)
TOO_LONG: Final = (asyncpg.ProgramLimitExceededError,)
"""More than a row of an index holds, or than one message."""
BROKEN: Final = (asyncpg.IntegrityConstraintViolationError,)
"""What the schema promises would not be so any more: `TAKEN`, or a bug of ours."""
REFUSED: Final = (
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""The database cannot do it now, and has not."""
GONE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.StatementCompletionUnknownError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""The connection is lost, or the server is going down or coming up."""
WRONG: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,
)
"""Whoever set this up has to change something."""
SCHEMA: Final = (asyncpg.SyntaxOrAccessError, asyncpg.InvalidSchemaNameError)
"""Something that was made is not there."""
TROUBLE: Final = (*GONE, asyncpg.PostgresError)
"""Whatever may come; of what is `BROKEN`, whoever writes knows more."""

UNREACHED: Final = "cannot be reached"
REACH: Final = "Is it running? Check host and port in its URL, and sslmode if it asks for TLS."


def can_be_stored(text: str) -> bool:
    """Tell whether the database takes this text: no U+0000, no half characters."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def is_gone(error: BaseException) -> bool:
    """Tell whether the connection is lost, and with it the answer."""
    return isinstance(error, GONE) and not isinstance(error, (*BAD_TEXT, *REFUSED, *WRONG))


def may_be_of_one(error: BaseException) -> bool:
    """Tell whether it may lie at one write of a group, without which the others can be landed."""
    return not isinstance(error, (HeadraceError, *REFUSED, *WRONG, *GONE))


def meaning(
    error: Exception, place: str, *, lost: str = "", again: str = "Try again."
) -> HeadraceError:
    """Say what is wrong, and whether trying again helps.

    `lost` is what of it may have happened, `again` what to do where all may be well soon.
    """
    if isinstance(error, BAD_TEXT):
        hint = "Leave out U+0000 and half characters."
        return BadRequest(f"a text cannot be stored: {error}", hint=hint)
    if isinstance(error, TOO_LONG):
        said = str(error).partition("\n")[0]
        hint = "Use a shorter name or key: up to 1,024 bytes will do."
        return BadRequest(f"this is longer than the database takes: {said}", hint=hint)
    if isinstance(error, WRONG):
        return _wrong(error, place)
    if isinstance(error, asyncpg.DiskFullError):
        hint = "Its disk is full. Make room, then try again; nothing has to be restarted."
    elif isinstance(error, asyncpg.TooManyConnectionsError):
        hint = "Raise its max_connections, or let each server open fewer with `connections=`."
    elif isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        hint = "It is a standby that can only be read. Name the primary."
    elif isinstance(error, SCHEMA):
        hint = "`headrace doctor` says whether its schema is as this headrace needs it."
    else:
        hint = again
    why = _why(error)
    return Unavailable(f"the database {place} {lost or 'cannot be used'}: {why}", hint=hint)


def _why(error: Exception) -> str:
    """Return what is wrong, without the system's numbers."""
    if isinstance(error, TimeoutError):
        return str(error) or "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or repr(error)


def _wrong(error: Exception, place: str) -> Mistake:
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        hint = "Make it with `createdb`, or name one that is there."
    elif isinstance(error, asyncpg.InsufficientPrivilegeError):
        hint = "Its user has to own the schema `headrace`, or be allowed to make it."
    else:
        hint = "Check the user, the password and the options in its URL."
    return Mistake(f"the database {place} cannot be used: {error}", hint=hint)
