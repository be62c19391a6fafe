"""Public tokens, for whoever hands them to a browser.

Owns: which scopes say what is to be permitted. Must never know: how a token is signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headrace.sdk._sync_verbs import SyncAuth
from headrace.sdk.connection import connected
from headrace.sdk.deadlines import Duration, seconds_text
from headrace.sdk.inputs import AnyRun, InputStreamOf, run_id_of
from headrace.wire.keys import PublicTokenOrder


class Auth:
    """What permits others. Inside a task nothing of it is remembered: put it into a step."""

    __slots__ = ()

    async def public_token(
        self,
        *,
        read: Iterable[InputStreamOf[Any] | AnyRun] = (),
        send: Iterable[InputStreamOf[Any] | AnyRun] = (),
        trigger: Iterable[str] = (),
        scopes: Iterable[str] = (),
        expires: Duration = "15m",
        uses: int | None = None,
        single_use: bool = False,
        actor: str = "",
    ) -> str:
        """Sign a token that may read these runs or streams, send to these or to all of a run.

        `trigger` names tasks by their ids, `scopes` are passed on as they are. `uses` counts what
        the token starts and sends; with `single_use` it may start one run. `actor` says who it is.
        """
        order = PublicTokenOrder(
            scopes=[
                *("read:{}:{}".format(*_placed(place)) for place in read),
                *(f"write:inputStreams:{_placed(place)[1]}" for place in send),
                *(f"trigger:tasks:{task}" for task in trigger),
                *scopes,
            ],
            expiration_time=seconds_text(expires),
            uses=uses,
            one_time_use=single_use,
            actor=actor,
        )
        return (await (await connected()).public_token(order)).token

    @property
    def sync(self) -> SyncAuth:
        """The same, blocking."""
        return SyncAuth(self)


def _placed(place: InputStreamOf[Any] | AnyRun) -> tuple[str, str]:
    """Return the kind of a place, and its name in scopes."""
    if isinstance(place, InputStreamOf):
        return "inputStreams", f"{place.run_id}:{place.id}"
    return "runs", run_id_of(place)


auth = Auth()
