"""The walls of the house hold, and would be seen to fall."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
TELLERS = {f"service.demo.{name}" for name in ("__main__", "simulation", "stage", "story", "timeline")}
GRAPH = grimp.build_graph("service", cache_dir=None)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the package in that folder."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--config", "pyproject.toml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the package and its contracts, to break."""
    shutil.copytree(ROOT / "service", tmp_path / "service", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_module_keeps_to_its_row() -> None:
    result = lint(ROOT)

    assert result.returncode == 0, result.stdout
    assert "2 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
        pytest.param("rules/green_ticket.py", "import httpx", "does no I/O BROKEN", id="a rule that calls somebody"),
        pytest.param("texts.py", "from socket import socket", "does no I/O BROKEN", id="a text that opens a socket"),
        pytest.param(
            "rules/_base.py", "from service import jobs", "rows below its own", id="a rule that sees the jobs"
        ),
        pytest.param("roster.py", "from service import events", "rows below its own", id="two of one row that meet"),
        pytest.param("brand_new.py", "", "brand_new", id="a module that nobody gave a row"),
    ],
)
def test_a_broken_wall_is_noticed(copy: Path, module: str, line: str, complaint: str) -> None:
    with (copy / "service" / module).open("a") as file:
        file.write(f"{line}\n")

    result = lint(copy)

    assert result.returncode == 1
    assert complaint in " ".join(result.stdout.split())


@pytest.mark.parametrize("module", sorted(GRAPH.find_children("service.demo") - TELLERS))
def test_the_demos_stand_ins_know_nothing_of_crafty_but_its_clock(module: str) -> None:
    ours = {name for name in GRAPH.find_modules_directly_imported_by(module) if name.startswith("service.")}

    assert ours - {"service.clock"} <= GRAPH.find_children("service.demo") - TELLERS


def test_the_stand_ins_are_there_to_be_checked() -> None:
    stand_ins = GRAPH.find_children("service.demo") - TELLERS

    assert {"service.demo.jira", "service.demo.discourse", "service.demo.mattermost"} <= stand_ins
