"""A transaction pooler of our own: no connection of a client is a session of the database.

Owns: its process and its folder. Must never know: what is asked through it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress

from tests.services.keeper import kept, kept_folder
from tests.services.postgres import free_port, unprivileged

INI = """
[databases]
* = host=127.0.0.1 port={target} user=headrace
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_reset_query =
{more}
"""
TOLERANT = "ignore_startup_parameters = jit, enable_seqscan, plan_cache_mode"
"""It takes our settings of a session, and forgets them."""


@contextmanager
def pgbouncer(target: int, more: str = "") -> Generator[int]:
    """Run one in front of a Postgres; yield its port. Its pool is smaller than ours."""
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    port, user = free_port(), unprivileged()
    with kept_folder("headrace-pool-") as folder:
        ini = folder / "pgbouncer.ini"
        ini.write_text(INI.format(target=target, port=port, more=more))
        if user is not None:
            os.chown(folder, user, -1)
            os.chown(ini, user, -1)
        with (folder / "log").open("wb") as log:
            process = kept(subprocess.Popen([program, str(ini)], stdout=log, stderr=log, user=user))
        try:
            _wait(port, process)
            yield port
        finally:
            process.kill()
            process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
            return
    raise RuntimeError("the pooler does not start")
