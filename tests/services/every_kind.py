"""`python -m tests.services.every_kind FOLDER`: starts one server of each kind, and stays.

It prints the folders that it has made. FOLDER is for what makes none of its own.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.cli.house import TASKS
from tests.deploy.machine import machine
from tests.deploy.reading import SECRETS
from tests.fleet.nursery import Nursery
from tests.fleet.processes import fleet
from tests.s2.lite import Lite, binary
from tests.services.keeper import kept_folder
from tests.services.pgbouncer import pgbouncer
from tests.services.postgres import postgres
from tests.services.redis import redis_server


def main(folder: Path) -> None:
    """Start them, print the folders, and wait to be killed."""
    tasks = folder / "tasks.py"
    tasks.write_text(TASKS, "utf-8")
    with ExitStack() as stack:
        database = stack.enter_context(postgres())
        redis = stack.enter_context(redis_server())
        stack.enter_context(pgbouncer(database.port))
        lite = Lite(binary(), folder)
        lite.start()
        front = stack.enter_context(machine(folder / "machine"))
        front.install(tasks, SECRETS)
        front.start("headrace-balancer")
        own = stack.enter_context(kept_folder("headrace-kinds-"))
        ships = stack.enter_context(fleet(own, tasks))
        ships.server()
        nursery = stack.enter_context(Nursery(ships))
        nursery.worker()
        redis.pause()  # what stands still is to end as well
        folders = [str(one) for one in (database.folder, redis.folder, own)]
        sys.stdout.write(json.dumps(folders) + "\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
