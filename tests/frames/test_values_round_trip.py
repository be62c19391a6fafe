"""Each value is the same in another process, and what was one object is one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Final, cast

import pytest

import tests.frames.values
from headrace.frames.values import CannotSave, Dumper
from tests.frames.values.registry import CASES, Values

ROOT: Final = Path(__file__).parents[2]
OTHER: Final = [sys.executable, "-W", "error", "-m", "tests.frames.values.other"]

assert tests.frames.values.__all__


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Carry all cases into one other process at once: starting it is what takes time."""
    blobs, refused, alive = dict[str, str](), dict[str, str](), list[Values]()
    for name, case in CASES.items():
        values = case.make(tmp_path_factory.mktemp(name))
        alive.append(values)
        dumper = Dumper()
        try:
            dumper.dump(values)
        except CannotSave as error:
            refused[name] = str(error)
        blobs[name] = b64encode(dumper.blob()).decode()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    said = subprocess.run(
        OTHER, check=False, cwd=ROOT, env=environment, input=json.dumps(blobs), text=True,
        capture_output=True, timeout=15,
    )  # fmt: skip
    for values in alive:
        _close(values)
    assert said.returncode == 0, said.stderr
    told: dict[str, str] = json.loads(said.stdout)
    return told | refused


def _close(values: Values) -> None:
    """Close our ends of the files, whose others are closed by the checks."""
    for value in values.values():
        some = cast("list[object]", value) if isinstance(value, list) else [value]
        for each in some:
            if isinstance(each, io.IOBase) and Path(str(getattr(each, "name", ""))).is_absolute():
                each.close()


@pytest.mark.parametrize("name", CASES)
def test_the_other_process_finds(name: str, outcomes: dict[str, str]) -> None:
    assert not outcomes[name], outcomes[name]
