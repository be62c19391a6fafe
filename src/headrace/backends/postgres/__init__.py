"""One database, any number of servers on it; each writes in groups, a round trip for each."""

from headrace.errors import Mistake

try:
    from headrace.backends.postgres.database import Settings, shown
    from headrace.backends.postgres.examining import Examined, examine_postgres
    from headrace.backends.postgres.opening import migrate_postgres, open_postgres
except ModuleNotFoundError as error:
    if error.name != "asyncpg":
        raise
    raise Mistake(
        "a database in Postgres needs asyncpg, which is not installed",
        hint="pip install 'headrace[postgres]'",
    ) from error

__all__ = [
    "Examined",
    "Settings",
    "examine_postgres",
    "migrate_postgres",
    "open_postgres",
    "shown",
]
