"""Which type is saved in which way. Must never know: how any of them is saved."""

from __future__ import annotations

from headrace.frames.values_own import Reducer


class _Table(dict[type, "Reducer | None"]):
    """Filled by the types that are met; None leaves a type to pickle."""

    def __missing__(self, kind: type) -> Reducer | None:
        return None


TABLE = _Table()
