"""Both type checkers, strict, infer the public surface, and find the mistakes planted in it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "tests/typing"
BIN: Final = Path(sys.executable).parent

pytestmark = pytest.mark.timeout(180)


def _mypy(*paths: Path) -> subprocess.CompletedProcess[str]:
    return _run("mypy", "--config-file", str(ROOT / "pyproject.toml"), *map(str, paths))


def _pyright(folder: Path, *, experimental: bool = True) -> subprocess.CompletedProcess[str]:
    config = {
        "include": ["."],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "venvPath": str(ROOT),
        "venv": ".venv",
        "enableExperimentalFeatures": experimental,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    return _run("pyright", "--project", str(folder))


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def _copied(folder: Path, *replaced: tuple[str, str]) -> Path:
    """Copy the typed files under names of their own, some text replaced by other text."""
    for path in FOLDER.glob("*.py"):
        text = path.read_text("utf-8")
        for old, new in replaced:
            text = text.replace(old, new)
        (folder / f"copied_{path.name}").write_text(text, "utf-8")
    return folder


def test_mypy_infers_everything_and_finds_the_mistakes() -> None:
    done = _mypy(FOLDER)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("experimental", [True, False])
def test_pyright_infers_everything_and_finds_the_mistakes(
    tmp_path: Path, *, experimental: bool
) -> None:
    done = _pyright(_copied(tmp_path), experimental=experimental)
    assert done.returncode == 0, done.stdout


def test_a_wrong_type_would_be_noticed(tmp_path: Path) -> None:
    wrong = ("await approval.wait().unwrap(), Post", "await approval.wait().unwrap(), str")
    _copied(tmp_path, wrong, ("  # type: ignore[arg-type]  # not text", ""))
    for done in (_mypy(tmp_path / "copied_verbs.py"), _pyright(tmp_path)):
        assert done.returncode == 1, done.stdout
        assert "copied_verbs.py" in done.stdout
    assert "copied_mistakes.py" in _mypy(tmp_path / "copied_mistakes.py").stdout
