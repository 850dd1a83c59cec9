"""The command line as a person meets it: output, exit codes, one sentence for a mistake."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from service.release import own_version
from service.rules import all_rules
from tests import forked
from tests.builders import CONFIG

RULES = len(all_rules())
CRAFTY = [sys.executable, "-m", "service.cli"]


def crafty(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command in a folder of its own, with nothing of ours in its environment but `environ`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CRAFTY_")}
    return forked.run(folder, words, {**clean, "NO_COLOR": "1", "COLUMNS": "200", **(environ or {})})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crafty.toml").write_text(CONFIG)
    return tmp_path


def test_help_names_every_command(folder: Path) -> None:
    shown = crafty(folder, "--help")
    assert shown.returncode == 0
    for command in ("up", "api", "worker", "why", "rules", "config"):
        assert f" {command} " in shown.stdout
    assert "reads settings, calls, and prints" not in shown.stdout


def test_what_serves_loads_nothing_that_is_only_for_people() -> None:
    only_for_people = {"jinja2", "service.admin.api", "service.admin.console"}
    asked = "import sys; from service import cli; from service.cli import api, worker; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert "service.app" in loaded
    assert only_for_people & {*loaded} == set()


def test_the_version_is_that_of_the_package(folder: Path) -> None:
    shown = crafty(folder, "--version")
    assert (shown.returncode, shown.stdout) == (0, f"{own_version()}\n")


def test_config_check_says_that_all_is_well(folder: Path) -> None:
    shown = crafty(folder, "config", "check")
    assert (shown.returncode, shown.stdout) == (0, f"crafty.toml is fine. Cells: 1, people: 7, rules: {RULES}.\n")


def test_config_check_fails_where_there_is_nothing_to_check(tmp_path: Path) -> None:
    shown = crafty(tmp_path, "config", "check")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "crafty.example.toml" in shown.stderr


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        pytest.param(
            "\n[rules.green-tickets]\n", ("crafty.toml:", "green-tickets", "green-ticket"), id="an unknown rule"
        ),
        pytest.param("\n[rules.green-ticket]\nlead = 1\n", ("crafty.toml:57", "lead"), id="an unknown parameter"),
        pytest.param('\n[rules.green-ticket]\nmode = "loud"\n', ("crafty.toml:57", "mode"), id="an unknown mode"),
        pytest.param("\nnonsense\n", ("crafty.toml:",), id="no TOML"),
    ],
)
def test_a_mistake_in_the_configuration_is_a_sentence_with_its_line(
    folder: Path, mistake: str, words: tuple[str, ...]
) -> None:
    (folder / "crafty.toml").write_text(CONFIG + mistake)
    for command in (("config", "check"), ("up",), ("rules",)):
        shown = crafty(folder, *command)
        assert (shown.returncode, shown.stdout) == (2, "")
        assert "Traceback" not in shown.stderr
        for word in words:
            assert word in shown.stderr


def test_the_printed_schema_accepts_the_example_and_refuses_a_wrong_parameter(folder: Path) -> None:
    schema = json.loads(crafty(folder, "config", "schema").stdout)
    jsonschema.validate({"rules": {"green-ticket": {"reminder_lead": "24h"}}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rules": {"green-ticket": {"push_unassigned": "perhaps"}}}, schema)


def test_rules_lists_each_rule_with_its_mode(folder: Path) -> None:
    (folder / "crafty.toml").write_text(CONFIG + '\n[rules.missing-reviewer]\nmode = "dry-run"\n')
    listed = json.loads(crafty(folder, "rules", "--json").stdout)
    modes = {rule["name"]: rule["mode"] for rule in listed}
    assert (len(modes), modes["missing-reviewer"], modes["green-ticket"]) == (RULES, "dry-run", "on")
    assert "dry-run" in crafty(folder, "rules").stdout


def test_why_without_anything_running_says_how_to_start(folder: Path) -> None:
    shown = crafty(folder, "why", "SE-1")
    assert shown.returncode == 1
    assert "crafty up" in shown.stderr


def test_a_redis_that_is_away_is_a_sentence_that_names_its_setting(folder: Path) -> None:
    shown = crafty(folder, "check", environ={"CRAFTY_REDIS_URL": "redis://127.0.0.1:1"})
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "whether CRAFTY_REDIS_URL is right" in shown.stderr


def test_why_of_a_subject_that_nobody_spoke_of(folder: Path, redis_url: str) -> None:
    shown = crafty(folder, "why", "SE-999", environ={"CRAFTY_REDIS_URL": redis_url})
    assert shown.returncode == 0
    assert "Nothing is known of SE-999" in shown.stdout
    assert "crafty doctor" in shown.stderr


def test_a_taken_port_is_a_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        shown = crafty(folder, "up", environ={"CRAFTY_PORT": port})
    assert shown.returncode == 1
    assert port in shown.stderr
    assert "CRAFTY_PORT" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_an_unknown_command_is_wrong_use(folder: Path) -> None:
    shown = crafty(folder, "dance")
    assert shown.returncode == 2
    assert shown.stderr == "No such command 'dance'. `crafty --help` says what there is.\n"


def test_the_api_alone_ends_cleanly_when_it_is_told_to(folder: Path, redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CRAFTY_")}
    environ = {**clean, "CRAFTY_REDIS_URL": redis_url, "CRAFTY_PORT": str(port)}
    with subprocess.Popen([*CRAFTY, "api"], cwd=folder, env=environ, stderr=subprocess.DEVNULL) as process:
        _until_it_listens(port)
        process.terminate()
        assert process.wait(timeout=60) == 0


@retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(60), wait=wait_fixed(0.05), reraise=True)
def _until_it_listens(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=1).close()


def test_a_redis_address_with_a_wrong_part_is_a_sentence(folder: Path) -> None:
    environ = {"CRAFTY_REDIS_URL": "redis+sentinel://127.0.0.1:abc/mymaster/0"}
    shown = crafty(folder, "why", "SE-1", environ=environ)
    assert shown.returncode == 2
    assert "CRAFTY_REDIS_URL" in shown.stderr
    assert "Traceback" not in shown.stderr
