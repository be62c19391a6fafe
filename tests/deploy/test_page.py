"""docs/howto/scale-out.md is typed as it stands: its units run as processes.

What cannot be had here is asked whether it could be: pip's extras, the services and the .env of
Compose, the objects of Kubernetes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.cli.house import House
from tests.deploy.asking import Caller
from tests.deploy.machine import UNITS, Machine, machine
from tests.deploy.manifests import KUSTOMIZATIONS, built, documents
from tests.deploy.reading import DEPLOY, ROOT, SECRETS, assignments, program, tool
from tests.deploy.standins import Answer, standing_in
from tests.e2e.pages import blocks, files
from tests.e2e.terminal import Terminal, terminal
from tests.s2.lite import running
from tests.services.postgres import Postgres
from tests.services.redis import RedisServer

PAGE: Final = "docs/howto/scale-out.md"
FIRST_BLOCKS: Final = 6
"""Up to the first answer; then the old one runs dry."""
PLAYED: Final = (
    "systemctl",
    "systemd-run",
    "python3",
    "pip",
    "cargo",
    "editor",
    "docker",
    "kubectl",
)
"""What stands in for a program of this name is a method of the player."""

pytestmark = [pytest.mark.timeout(300)]


class Off(Exception):
    """The page types what could not be done."""


class Extras(msgspec.Struct, frozen=True):
    """What pyproject.toml offers beside the bare package."""

    optional: dict[str, list[str]] = msgspec.field(name="optional-dependencies")


class Pyproject(msgspec.Struct, frozen=True):
    """As far as it is looked at here."""

    project: Extras


class Composed(msgspec.Struct, frozen=True):
    """The Compose file, as far as it is looked at here."""

    services: dict[str, object]


class Object(msgspec.Struct, frozen=True):
    """One object of Kubernetes."""

    kind: str
    metadata: dict[str, object]


@dataclass
class Player:
    """Does, or judges, what the page types."""

    machine: Machine
    repository: Path
    settings: Mapping[str, str]
    done: list[str] = field(default_factory=list[str])
    images: set[str] = field(default_factory=set[str])

    def systemctl(self, words: list[str]) -> str:
        """Do what systemctl would."""
        verb, names = words[0], [word for word in words[1:] if not word.startswith("--")]
        self.done += [f"{verb} {name}" for name in names]
        match verb:
            case "daemon-reload":
                installed = {path.name for path in (self.machine.root / UNITS).iterdir()}
                assert installed == {path.name for path in (DEPLOY / "systemd").glob("*.service")}
            case "start":
                self.machine.start(*names)
            case "enable" if "--now" in words:
                if "headrace-s2-lite" in names:  # it runs already, at another port
                    assert (self.machine.root / "opt/headrace/bin/s2-lite").exists()
                self.machine.start(*(name for name in names if name != "headrace-s2-lite"))
            case "restart":
                for name in names:
                    self.machine.restart(name)
            case _:
                raise Off(f"nobody has said what {verb} does")
        return ""

    def pip(self, words: list[str]) -> str:
        """Look whether there are such extras."""
        named = re.fullmatch(r"\.\[(.*)\]", words[1])
        assert words[0] == "install"
        assert named
        text = (ROOT / "pyproject.toml").read_text("utf-8")
        known = msgspec.convert(tomllib.loads(text), Pyproject).project.optional
        assert set(named[1].split(",")) <= set(known)
        return ""

    def cargo(self, words: list[str]) -> str:
        """Look whether it builds the version that is tested, and put something in its place."""
        script = (ROOT / "scripts/install-s2-lite.sh").read_text("utf-8")
        (version,) = re.findall(r"(?m)^VERSION=(.*)$", script)
        *built, root = words
        assert f"cargo {' '.join(built)} " in script.replace('"$VERSION"', version)
        (Path(root) / "bin").mkdir(parents=True)
        (Path(root) / "bin/server").touch()
        return ""

    def systemd_run(self, words: list[str]) -> str:
        """Run a command with a server's settings; it may find fault with what tests run on."""
        said, rest = {name: os.environ[name] for name in ("PATH",)}, iter(words)
        said["PYTHONPATH"] = os.pathsep.join(sys.path)
        command = list[str]()
        for word in rest:
            match word:
                case "--quiet" | "--pipe" | "--wait":
                    pass
                case "-p":
                    name, _, file = next(rest).partition("=")
                    assert name == "EnvironmentFile"
                    said |= assignments(Path(file).read_text("utf-8"))
                case "-E":
                    name, _, said[name] = next(rest).partition("=")
                case _:
                    command = [word, *rest]
        assert Path(said["HEADRACE_HOME"]).is_dir()
        done = subprocess.run(command, env=said, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 1}, done.stderr
        self.done.append("systemd-run")
        return done.stdout

    def python3(self, words: list[str]) -> str:
        """Look whether this makes an environment."""
        assert words[:2] == ["-m", "venv"], words
        return ""

    def editor(self, words: list[str]) -> str:
        """Fill in what a person would."""
        file = Path(words[0]) if Path(words[0]).is_absolute() else self.repository / words[0]
        lines = file.read_text("utf-8").splitlines()
        assert oct(file.stat().st_mode)[-3:] == "600", f"{file} is open to others"
        given = self.settings if file.name == "serve.env" else {**self.settings, **SECRETS}
        names = {line.partition("=")[0] for line in lines} & set(given)
        lines = [line for line in lines if line.partition("=")[0] not in names - self._kept(file)]
        lines += [f"{name}={given[name]}" for name in names - self._kept(file)]
        file.write_text("\n".join(lines) + "\n", "utf-8")
        return ""

    def _kept(self, file: Path) -> set[str]:
        """Return what the page itself has put there, or what is a place of the containers."""
        return set(SECRETS) if file.name == "serve.env" else {"HEADRACE_STREAMS"}

    def docker(self, words: list[str]) -> str:
        """Look whether Docker would find what is named in the file, with the .env that is there."""
        match words:
            case ["compose", "-f", *_]:
                return self._compose(words)
            case ["build", "-f", file, "-t", tag, context]:
                assert file == "-" or (self.repository / file).exists(), file
                assert (self.repository / context).is_dir()
                self.images.add(tag)
            case ["push", tag]:
                assert tag in self.images, tag
            case _:
                raise Off(f"nobody has said what {words} does")
        return ""

    def _compose(self, words: list[str]) -> str:
        file = self.repository / words[2]
        done = subprocess.run(
            [tool("compose-go"), file.name],
            cwd=file.parent,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        known = msgspec.json.decode(done.stdout, type=Composed).services
        verb, *rest = words[3:]
        assert verb in {"up", "build", "run"}
        named = [word.partition("=")[0] for word in rest if not word.startswith("--")]
        assert set(named) <= set(known), named
        self.done.append(f"compose {verb}")
        return ""

    def kubectl(self, words: list[str]) -> str:
        """Look whether Kubernetes would find what is named."""
        verb = words[0]
        match words:
            case ["apply", "-f", file] | ["apply", "--server-side", "-f", file]:
                assert (self.repository / file).exists(), file
            case ["apply", "-k", folder]:
                place = Path(folder).relative_to("deploy/kubernetes")
                assert documents(built(self.repository / "deploy", str(place)))
            case ["wait", named, *_] | ["rollout", "status", named, *_]:
                self._is_there(*named.split("/"))
            case ["delete", kind, name, *_]:
                self._is_there(kind, name)
            case _:
                raise Off(f"nobody has said what {words} does")
        self.done.append(f"kubectl {verb}")
        return ""

    def _is_there(self, kind: str, name: str) -> None:
        texts = [built(self.repository / "deploy", one) for one in KUSTOMIZATIONS]
        found = [msgspec.yaml.decode(part, type=Object) for t in texts for part in documents(t)]
        named = [(one.kind.lower(), one.metadata["name"]) for one in found]
        assert (kind, name) in named, named


@pytest.fixture
def settings(
    tmp_path: Path, postgres_server: Postgres, redis_of_all: RedisServer
) -> Iterator[Mapping[str, str]]:
    """The three services, as a person has them before."""
    psql = [str(program("psql")), "-q", "-d", postgres_server.dsn()]
    for order in ("DROP DATABASE IF EXISTS page", "CREATE DATABASE page"):
        subprocess.run([*psql, "-c", order], check=True, capture_output=True)
    (tmp_path / "s2").mkdir()
    with running(tmp_path / "s2") as lite:
        yield {
            "HEADRACE_DATABASE": postgres_server.dsn("page"),
            "HEADRACE_REDIS": redis_of_all.url(2),
            "HEADRACE_STREAMS": f"s2://headrace-page?endpoint={lite.url}",
        }


@pytest.fixture
def player(tmp_path: Path, settings: Mapping[str, str]) -> Iterator[Player]:
    """A machine with nothing on it, and a copy of the repository."""
    program("haproxy")
    tool("kustomize")
    repository = tmp_path / "repository"
    shutil.copytree(DEPLOY, repository / "deploy")
    shutil.copy(repository / "deploy/kubernetes/secrets.example.yaml", repository / "secrets.yaml")
    for name, text in files(PAGE):
        (repository / name).write_text(text, "utf-8")
    with machine(tmp_path / "m") as made:
        yield Player(made, repository, settings)


def commands(block: str) -> Iterator[str]:
    """Return the commands of a block: as many lines as the shell needs for a whole one."""
    whole = ""
    for line in block.splitlines():
        whole += line + "\n"
        if line.endswith("\\"):
            continue
        asked = ["/bin/bash", "-n", "-c", whole]
        if subprocess.run(asked, check=False, capture_output=True).returncode == 0:
            yield whole.rstrip("\n")
            whole = ""
    assert not whole, whole


def typed(at: Terminal, player: Player, block: str) -> str:
    """Type a block; return all that it prints."""
    printed = list[str]()
    for command in commands(block):
        code, text = at.run(player.machine.here(command))
        assert code == 0, f"{command} ended with {code}:\n{text}"
        printed.append(text)
        _ports_as_here(player)
    return "".join(printed)


def _ports_as_here(player: Player) -> None:
    """Have what was installed with the ports of this machine."""
    for file in (player.machine.root / "etc/headrace").iterdir():
        before = file.read_text("utf-8")
        if (after := player.machine.here(before)) != before:
            file.write_text(after, "utf-8")


def test_the_page_is_played_to_its_end(player: Player, tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    answers: dict[str, Answer] = {name: getattr(player, name.replace("-", "_")) for name in PLAYED}
    rest = {name: text for name, text in os.environ.items() if "HEADRACE" not in name}
    with standing_in(folder, answers):
        ours = player.machine.root / "opt/headrace/bin"
        (ours / "pip").symlink_to(folder / "pip")
        (ours / "headrace").write_text(f'#!/bin/sh\nexec {sys.executable} -m headrace "$@"\n')
        (ours / "headrace").chmod(0o755)
        environment = {
            **rest,
            "PATH": f"{folder}:{rest['PATH']}",
            "EDITOR": str(folder / "editor"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        with terminal(player.repository, environment) as at:
            _played(at, player)


def _played(at: Terminal, player: Player) -> None:
    given = blocks(PAGE, "sh")
    for block in given[:FIRST_BLOCKS]:
        typed(at, player, block)
    assert _output(at, player, "$RUN") == "Scale out: fine"
    old, version, *elsewhere = given[FIRST_BLOCKS:]
    _runs_dry(at, player, old)
    run = typed(at, player, "headrace trigger publish '\"Still there\"'\n").split()[0]
    player.done.clear()
    typed(at, player, version)
    steps = [step for step in player.done if "serve" in step or "worker" in step]
    assert [step.split()[0] for step in steps] == ["restart"] * 4
    typed(at, player, f"headrace send {run} approval '\"fine\"'\n")
    assert _output(at, player, run) == "Still there: fine"
    printed = "".join(typed(at, player, block) for block in elsewhere)
    assert "compose up" in player.done
    assert {"compose run", "kubectl apply", "kubectl rollout"} <= set(player.done)
    for kept in ("PostgreSQL", "Redis", "basin"):
        assert kept in printed, f"doctor has not looked at {kept}:\n{printed}"


def _output(at: Terminal, player: Player, run: str) -> str | None:
    """Wait for what comes of a run, by the one address, with the key that the page has made."""
    _, printed = at.run(f"echo {run} $HEADRACE_SECRET_KEY")
    known, key = printed.split()
    return Caller(player.machine.url, key).finished(known)


def _runs_dry(at: Terminal, player: Player, block: str) -> None:
    """Ask the old server, which has one run left, and then none, where the new one is known."""
    folder = player.repository.parent / "old"
    folder.mkdir()
    house = House(folder)
    with house.dev():
        run = house.trigger("ask")
        house.until_status(run, "WAITING")
        asked = f"(cd {folder} && {block})"
        assert run in typed(at, player, asked)
        house.run("send", run, "approval", '{"approved": true, "reviewer": "alice"}')
        house.until_status(run, "COMPLETED")
        assert typed(at, player, asked) == ""
