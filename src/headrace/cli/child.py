"""The worker process that a supervisor starts: `python -m headrace.cli.child FILE HANDLE`.

Owns: the order in which it comes up, what it reports, how it ends. Must never know: commands.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

import uvloop

from headrace.app import home as homes, settings
from headrace.app.loading import CannotImport, load
from headrace.app.working import Watcher, work
from headrace.cli.leash import Broken, Leash, Ready, Report, Tired
from headrace.cli.logs import log_to_stderr
from headrace.errors import HeadraceError, Mistake
from headrace.wire.registration import Registration

UNUSABLE: Final = 3


def main(file: str, handle: str) -> int:
    """Work until told to stop; return the exit code."""
    leash = Leash(int(handle))
    leash.fasten()
    # ^C goes to the whole group: the supervisor hears it, and tells us in its own order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    try:
        load(Path(file))
        setting = settings.read(os.environ)
        home = homes.find(setting.home, Path.cwd())
        watcher = Watcher(lambda found: leash.report(_ready(found)), lambda: leash.report(Tired()))
        uvloop.run(work(setting, home, watcher))
    except CannotImport as error:
        return _broken(leash, Broken(f"{error.message}\n{error.trace}"))
    except Mistake as error:
        return _broken(leash, Broken(str(error)))
    except HeadraceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _broken(leash: Leash, report: Report) -> int:
    leash.report(report)
    return UNUSABLE


def _ready(found: Registration) -> Ready:
    return Ready(
        tasks=tuple((task.id, task.schema) for task in found.tasks),
        inputs=tuple((stream.name, stream.schema) for stream in found.streams if stream.inward),
        outputs=tuple(stream.name for stream in found.streams if not stream.inward),
    )


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of plain tasks, and runs that were put away, must not hold it up
