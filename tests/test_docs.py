"""What the documents promise is there, and what is there is documented."""

import re
import tomllib
from pathlib import Path

import pytest
import typer

from service.cli import app
from service.rules import all_rules
from service.rules._base import Rule

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def commands() -> list[str]:
    group = typer.main.get_command(app)
    return sorted(getattr(group, "commands", {}))


@pytest.mark.parametrize("command", commands())
def test_the_readme_names_every_command(command: str) -> None:
    assert f"crafty {command}" in README


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_the_rules_table_of_the_readme_has_the_rules_own_words(rule: Rule) -> None:
    name, summary = rule.name, rule.summary
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
    assert summary in row
    for param in rule.params.model_fields:
        assert f"`{param}`" in row


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^\s*make ([a-z-]+)", README, re.MULTILINE))))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", MAKEFILE, re.MULTILINE)


def test_ci_runs_the_readmes_own_test_command() -> None:
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert re.search(r"^make test\b", README, re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)", README))
def test_every_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_dependency_has_its_reason_in_a_decision_record() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[<>=\[;]", line)[0].strip() for line in wanted}
    record = (ROOT / "docs" / "decisions" / "0005-libraries.md").read_text()
    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", record)} == set()


@pytest.mark.parametrize("path", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_files_pin_hashes_and_name_no_index(path: str) -> None:
    text = (ROOT / path).read_text()
    pinned = re.findall(r"^[a-z0-9._-]+==\S+.*$", text, re.MULTILINE)
    assert len(pinned) > 20
    assert all(line.rstrip().endswith("\\") for line in pinned)
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|index-url|find-links", text)
