"""What `dev`, `serve` and `worker` say while they run.

Must never know: how anything is started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.text import Text

from headrace.cli.leash import Ready
from headrace.cli.sample import sample
from headrace.cli.screen import emit, say, warn
from headrace.cli.showing import command
from headrace.cli.supervisor import Changing, Died, Notice, Renewing, Started, Unusable

MARGIN: Final = 12


def fact(name: str, value: str | Text, *, style: str = "") -> None:
    """Print one line of what runs."""
    shown = value if isinstance(value, Text) else Text(value, style)
    say(Text.assemble((f"  {name:<{MARGIN}}", "dim"), shown))


def near(path: Path) -> str:
    """Return a path as short as it can be said from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass(slots=True)
class Signs:
    """Turns notices of a supervisor into lines, or into JSON."""

    file: Path
    as_json: bool
    reloads: bool
    changed: str = ""

    def __call__(self, notice: Notice) -> None:
        """Say what has happened."""
        if self.as_json:
            emit(_event(notice))
            return
        match notice:
            case Started(ready=ready, pid=pid, again=False):
                self._first(ready, pid)
            case Started(ready=ready):
                why = f" after {self.changed} changed" if self.changed else ""
                say(f"worker serves again{why}: {_counted(ready)}", style="green")
                self.changed = ""
            case Unusable(text=text, still=still):
                warn(text.rstrip())
                then = "The worker before goes on." if still else "No worker serves."
                warn(
                    f"{then} Repair {near(self.file)}{'' if self.reloads else ' and start again'}."
                )
            case Died(why=why, pause_s=pause):
                soon = f" in {pause:.1f}s" if pause else ""
                warn(f"the worker ended {why}; another one starts{soon}")
            case Renewing(pause_s=pause):
                soon = f" in {pause:.1f}s" if pause else ""
                warn(f"the worker's memory limit is near; a fresh one takes over{soon}")
            case Changing(name=name):
                self.changed = name

    def _first(self, ready: Ready, pid: int) -> None:
        more = ", reloads when a .py file in its folder changes" if self.reloads else ""
        fact("worker", f"{near(self.file)} (process {pid}){more}")
        fact("tasks", ", ".join(name for name, _ in ready.tasks) or "none: decorate one with @task")
        reads = [f"{name} in" for name, _ in ready.inputs]
        writes = [f"{name} out" for name in ready.outputs]
        fact("streams", ", ".join([*reads, *writes]) or "none")
        say()
        for task, schema in ready.tasks[:1]:
            fact("start one", trigger_command(task, schema), style="bold")
        fact("see waits", command("waits"), style="bold")
        for stream, schema in ready.inputs[:1]:
            fact("answer one", command("send", "RUN", stream, sample(schema)), style="bold")


def trigger_command(task: str, schema: bytes) -> str:
    """Return the command that starts a run of the task, with a payload that fits."""
    takes_none = not schema or schema == b'{"type":"null"}'
    return command("trigger", task, *([] if takes_none else [sample(schema)]))


def _counted(ready: Ready) -> str:
    streams = len(ready.inputs) + len(ready.outputs)
    tasks = len(ready.tasks)
    return f"{tasks} task{'s' * (tasks != 1)}, {streams} stream{'s' * (streams != 1)}"


def _event(notice: Notice) -> Mapping[str, object]:
    match notice:
        case Started(ready=ready, pid=pid):
            streams: Sequence[str] = [*(name for name, _ in ready.inputs), *ready.outputs]
            tasks = [name for name, _ in ready.tasks]
            return {"event": "ready", "pid": pid, "tasks": tasks, "streams": streams}
        case Unusable(text=text, still=still):
            return {"event": "unusable", "text": text, "workerGoesOn": still}
        case Died(why=why, pause_s=pause):
            return {"event": "died", "why": why, "restartsInSeconds": pause}
        case Renewing(pause_s=pause):
            return {"event": "renewing", "restartsInSeconds": pause}
        case Changing(name=name):
            return {"event": "changing", "file": name}
