"""What the documents promise is there, and what is there is documented."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
import typer

from service.cli import app
from service.commands import Name
from service.config import MessagesConfig
from service.rules import all_rules
from service.rules._base import Rule
from service.settings import VARIABLES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
EXAMPLE = tomllib.loads((ROOT / "deploy" / "crafty.example.toml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


README_RULES = {row[1]: row[0] for row in re.finditer(r"^\| `([a-z-]+)` \| [A-Z].*$", README, re.MULTILINE)}


def told_of(names: Iterable[str]) -> list[Rule]:
    """The rules of these names; KeyError for what is none."""
    rules = {rule.name: rule for rule in all_rules()}
    return [rules[name] for name in names]


def commands() -> list[str]:
    group = typer.main.get_command(app)
    return sorted(getattr(group, "commands", {}))


@pytest.mark.parametrize("command", commands())
def test_the_readme_names_every_command(command: str) -> None:
    assert f"crafty {command}" in README


# A new rule needs none of these two; docs/reference/rules.md tells of it.


@pytest.mark.parametrize("rule", told_of(README_RULES), ids=lambda rule: rule.name)
def test_the_rules_table_of_the_readme_has_the_rules_own_words(rule: Rule) -> None:
    assert rule.summary in README_RULES[rule.name]


@pytest.mark.parametrize("rule", told_of(EXAMPLE["rules"]), ids=lambda rule: rule.name)
def test_the_example_sets_every_parameter_of_every_rule(rule: Rule) -> None:
    assert rule.params.model_fields.keys() <= EXAMPLE["rules"][rule.name].keys()


@pytest.mark.parametrize("word", [word for word in get_args(Name) if word != "unknown"])
def test_the_readme_names_every_word_that_people_can_say_to_crafty(word: str) -> None:
    assert re.search(rf"^\| `@crafty:? <?{word}\b", README, re.MULTILINE)


@pytest.mark.parametrize("key", MessagesConfig.model_fields)
def test_the_readme_tells_how_much_crafty_may_write(key: str) -> None:
    assert f"`{key}`" in README


@pytest.mark.parametrize("secret", [name for name in VARIABLES if name.endswith("_WEBHOOK_SECRET")])
def test_the_readme_tells_how_each_source_is_connected(secret: str) -> None:
    source = secret.removeprefix("CRAFTY_").removesuffix("_WEBHOOK_SECRET").lower()
    assert f"/webhooks/{source}`" in README
    assert f"`{secret}`" in README


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
    groups = PROJECT["dependency-groups"]
    wanted = [*PROJECT["project"]["dependencies"], *groups["dev"], *groups["docs"]]
    names = {re.split(r"[<>=\[;]", line)[0].strip() for line in wanted}
    record = (ROOT / "docs" / "decisions" / "0005-libraries.md").read_text()
    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", record)} == set()


def test_the_rows_of_the_house_stand_in_their_decision_record_as_the_linter_holds_them() -> None:
    (rows,) = [one for one in PROJECT["tool"]["importlinter"]["contracts"] if one["id"] == "rows"]
    record = (ROOT / "docs" / "decisions" / "0001-one-direction.md").read_text()
    told = re.findall(r"^\| [0-9]+ \| (.+) \|$", record, re.MULTILINE)
    assert told == [row.replace(" | ", ", ") for row in rows["layers"]]


@pytest.mark.parametrize("path", ["requirements.lock", "requirements-dev.lock", "requirements-docs.lock"])
def test_the_lock_files_pin_hashes_and_name_no_index(path: str) -> None:
    text = (ROOT / path).read_text()
    pinned = re.findall(r"^[a-z0-9._-]+==\S+.*$", text, re.MULTILINE)
    assert len(pinned) > 20
    assert all(line.rstrip().endswith("\\") for line in pinned)
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|index-url|find-links", text)
