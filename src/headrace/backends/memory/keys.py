"""Secret keys, and the uses of public tokens, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.kernel.model import EnvId, Instant
from headrace.ports import Counted, Credential, Use


@dataclass(frozen=True, slots=True)
class _Counted:
    at: Instant
    until: Instant
    requests: int = 1


class MemoryCredentials:
    """The `Credentials` port."""

    def __init__(self) -> None:
        self._kept: dict[str, Credential] = {}
        self._revision = 0
        self._uses: dict[tuple[EnvId, bytes], dict[bytes, _Counted]] = {}

    async def add(self, credential: Credential, now: Instant) -> None:
        """Keep a key."""
        self._add(credential, now)

    async def end(
        self,
        env: EnvId,
        key_id: str,
        until: Instant,
        now: Instant,
        *,
        new: Credential | None = None,
    ) -> bool:
        """Let a key end at `until`, never later than it would, and keep `new` in its place."""
        kept = self._kept.get(key_id)
        if kept is None or kept.env != env or _is_over(kept, now):
            return False
        until = until if kept.until is None else min(until, kept.until)
        self._kept[key_id] = replace(kept, until=until)
        if new is not None:
            self._add(new, now)
        self._changed(now)
        return True

    async def listing(self, env: EnvId) -> Sequence[Credential]:
        """List the environment's keys, newest first, those that have ended as well."""
        return [kept for kept in reversed(self._kept.values()) if kept.env == env]

    async def current(self, now: Instant) -> Sequence[Credential]:
        """List the keys of all environments that have not ended, newest first."""
        return [kept for kept in reversed(self._kept.values()) if not _is_over(kept, now)]

    async def revision(self) -> int:
        """Return a number that grows with every change of keys."""
        return self._revision

    async def use(self, use: Use, most: int, repeats_ms: int) -> Counted:
        """Count a use, if there are fewer than `most`."""
        uses = self._uses.setdefault((use.env, use.token), {})
        first = uses.get(use.name)
        if first is not None:
            if first.at + repeats_ms <= use.at:
                return Counted.SPENT
            uses[use.name] = replace(first, requests=first.requests + 1)
            return Counted.AGAIN
        if len(uses) >= most:
            return Counted.SPENT
        uses[use.name] = _Counted(use.at, use.until)
        return Counted.NEW

    async def give_back(self, use: Use) -> None:
        """Take back a use that came to nothing, unless it was repeated."""
        uses = self._uses.get((use.env, use.token), {})
        if use.name in uses and uses[use.name].requests == 1:
            del uses[use.name]

    def _add(self, credential: Credential, now: Instant) -> None:
        self._kept[credential.id] = credential
        self._changed(now)

    def _changed(self, now: Instant) -> None:
        self._revision += 1
        self._kept = {
            name: replace(kept, sealed=b"") if _is_over(kept, now) else kept
            for name, kept in self._kept.items()
        }


def _is_over(kept: Credential, now: Instant) -> bool:
    return kept.until is not None and kept.until <= now
