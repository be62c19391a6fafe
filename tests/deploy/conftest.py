"""What holds for the tests of deploy/: as in those of commands, nobody else is served meanwhile."""

from tests.cli.conftest import blockable_loop

__all__ = ["blockable_loop"]
