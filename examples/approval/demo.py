"""The approval example from start to end, with the worker and then the server killed on the way.

Run it with `make demo`. It works in a folder of its own and ends what it has started.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PATIENCE_S = 30.0


class Off(Exception):
    """Something is not as it should be."""


def say(text: str) -> None:
    """Tell what happens next."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise Off(f"waited {PATIENCE_S:.0f} s in vain until {what}")
        time.sleep(0.05)


class Demo:
    """One folder, one port, and the commands that a person would type there."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if "HEADRACE" not in name},
            "HEADRACE_PORT": str(port),
            "COLUMNS": "110",
        }
        self.log = folder / "dev.log"

    def headrace(self, *words: str, shown: bool = True) -> str:
        """Type a command; return what it prints."""
        if shown:
            print("$ headrace", *(f"'{word}'" if "{" in word else word for word in words))
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "headrace", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        if done.returncode:
            raise Off(f"headrace {' '.join(words)} ended with {done.returncode}: {done.stderr}")
        if shown:
            print(done.stdout, end="", flush=True)
        return done.stdout.strip()

    @contextmanager
    def dev(self) -> Generator[subprocess.Popen[bytes]]:
        """Start `headrace dev`, wait until its worker serves, and end it in any case."""
        print("$ headrace dev")
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "headrace", "dev", "--json"],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            until(
                "`headrace dev` serves", lambda: process.poll() is not None or bool(self.workers())
            )
            if process.poll() is not None:
                raise Off(f"`headrace dev` ended at once: {self.log.read_text()}")
            print(f"server: process {process.pid}, worker: process {self.workers()[-1]}")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)

    def workers(self) -> list[int]:
        """Return the processes of the workers that have served, the latest last."""
        lines = self.log.read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return [event["pid"] for event in events if event.get("event") == "ready"]

    def status(self, run: str) -> str:
        """Ask how the run stands."""
        return str(json.loads(self.headrace("runs", "show", run, "--json", shown=False))["status"])


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def play(demo: Demo) -> None:
    """The whole story."""
    say("1. A run drafts a summary of press-release.md, and waits for a person.")
    with demo.dev() as server:
        run = demo.headrace("trigger", "publish-release", '{"path": "press-release.md"}')
        until("the run waits", lambda: demo.status(run) == "WAITING")
        draft = (demo.folder / "press-release.draft.md").read_text()
        print("\n".join(f"  | {line}" for line in draft.splitlines()[:3]))
        demo.headrace("waits")

        say("2. The worker is killed. Another one is started, and the run still waits.")
        kill_worker(demo)
        until("the run waits", lambda: demo.status(run) == "WAITING")

        say("3. Now the server is killed. Nothing runs any more; the run is on disk.")
        worker = demo.workers()[-1]
        print(f"$ kill -9 {server.pid}")
        server.kill()
        server.wait(PATIENCE_S)
        until("the worker is gone with its server", lambda: is_gone(worker))

    say("4. Everything starts again. The run has never stopped waiting, and is answered.")
    with demo.dev():
        demo.headrace("waits")
        demo.headrace("send", run, "approval", '{"approved": true, "reviewer": "alice"}')
        until("the run is over", lambda: demo.status(run) in {"COMPLETED", "FAILED", "CRASHED"})
        demo.headrace("runs", "show", run)
        check(demo, run)


def kill_worker(demo: Demo) -> None:
    """Kill the worker, and wait until the supervisor has started another one."""
    before = demo.workers()
    print(f"$ kill -9 {before[-1]}")
    os.kill(before[-1], signal.SIGKILL)
    until("another worker serves", lambda: len(demo.workers()) > len(before))
    print(f"worker: process {demo.workers()[-1]}")


def check(demo: Demo, run: str) -> None:
    """Compare what came of it with what should."""
    view = json.loads(demo.headrace("runs", "show", run, "--json", shown=False))
    wanted = {"status": "published", "file": "published/press-release.md", "reviewer": "alice"}
    if view["status"] != "COMPLETED" or view["output"] != wanted:
        raise Off(f"the run ended as {view['status']} with {view.get('output')}")
    published = (demo.folder / "published/press-release.md").read_text()
    if "Approved by alice." not in published:
        raise Off("the published text does not say who approved it")
    told = demo.headrace("tail", run, shown=False).splitlines()
    if len(told) != 2:  # noqa: PLR2004 - drafted, published
        raise Off(f"the run has said {len(told)} things instead of 2: {told}")


def main() -> int:
    """Play it in a folder of its own; the exit code says whether all was as it should be."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as name:
        for file in ("tasks.py", "press-release.md"):
            shutil.copy(HERE / file, name)
        try:
            play(Demo(Path(name), port))
        except Off as error:
            print(f"\nthis went wrong: {error}", file=sys.stderr)
            return 1
    say("The answer arrived in another process than the one that had asked. That is all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
