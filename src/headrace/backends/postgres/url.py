"""Whether the URL of a database is one, told without a letter of what may be secret in it.

Owns: the form. Must never know: any connection.
"""

from __future__ import annotations

import re
from typing import Final

from headrace.errors import Mistake

FORM: Final = "Write it as postgresql://USER:PASSWORD@HOST[:PORT]/NAME."
ESCAPED: Final = (
    "In user and password write @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, % as %25."
)
SCHEMES: Final = frozenset({"postgres", "postgresql"})
_HOST: Final = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?")
LAST_PORT: Final = 65_535


def well_formed(dsn: str) -> None:
    """Refuse a URL that would be read otherwise than it was meant."""
    scheme, mark, rest = dsn.partition("://")
    if scheme not in SCHEMES or not mark:
        raise Mistake("the URL of the database is none of Postgres", hint=FORM)
    place, _, query = rest.partition("?")
    hosts, _, path = place.partition("/")
    if "#" in rest or "@" in path or any("=" not in part for part in query.split("&") if part):
        # A password with such a sign in it: what follows would be taken for host, name or option.
        raise Mistake("the URL of the database holds a sign that has to be escaped", hint=ESCAPED)
    for host in hosts.rpartition("@")[2].split(","):
        found = _HOST.fullmatch(host)
        if found is None or not _is_port(found[1] or ""):
            raise Mistake("the URL of the database has no port that can be one", hint=FORM)


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and 0 < int(text) <= LAST_PORT)
