"""What there is, is documented; what is documented, is there; and a new rule needs two files and nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
import yaml
from typer.testing import CliRunner

from reference import rules as rules_page
from reference._markdown import kind, table, toml
from reference.api import document
from reference.links import ROOT_PAGES, for_site, source_of, targets
from reference.pages import PAGES, ROOT
from service import rules
from service.cli import FAILED, WRONG_USE, app
from service.config import Config
from service.rules import all_rules
from service.settings import Settings
from tests.admin.calling import ADMIN, app_with_tokens, calling
from tests.admin.visiting import Visitor
from tests.builders import CONFIG
from tests.conftest import SetClock

DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin"]
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
WRITTEN = sorted([path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")] + list(ROOT_PAGES.values()))
"""Every page, by its place on the site."""


def text_of(place: str) -> str:
    return (ROOT / source_of(place)).read_text()


# What there is, is documented


@pytest.mark.parametrize("place", PAGES)
def test_a_page_that_is_written_from_the_code_is_up_to_date(place: str) -> None:
    assert (ROOT / place).read_text() == PAGES[place](), "run: make docs"


def test_every_setting_says_what_it_is_for() -> None:
    for schema in (Settings.model_json_schema(), Config.model_json_schema()):
        for name, part in {"": schema, **schema["$defs"]}.items():
            for key, value in part["properties"].items():
                assert re.fullmatch(r".+[.)]", value.get("description", "")), (name, key)


def commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, one in getattr(command, "commands", {}).items():
        yield from commands(f"{name} {word}", one)


COMMANDS = dict(commands("crafty", typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_takes(name: str) -> None:
    assert COMMANDS[name].help
    assert [one.name for one in COMMANDS[name].params if one.name != "help" and not one.help] == []


def statuses() -> set[str]:
    """Every status that the code answers an error with, or that the API's document names."""
    code = "\n".join(path.read_text() for path in (ROOT / "service").rglob("*.py") if "demo" not in path.parts)
    calls = (call for path in document()["paths"].values() for call in path.values())
    told = {status for call in calls for status in call["responses"] if status >= "300"}
    return told | set(re.findall(r"\b(?:Rejected|problem|HTTPException)\((\d{3})\b", code))


def test_every_error_code_says_what_helps() -> None:
    page = text_of("errors.md")
    rows = {number for row in re.findall(r"^\| ([0-9, ]+) \|", page, re.MULTILINE) for number in row.split(", ")}
    assert {*statuses(), str(FAILED), str(WRONG_USE)} <= rows


# What is documented, is there


def in_nav(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
        return
    for one in part.values() if isinstance(part, dict) else part:
        yield from in_nav(one)


def test_every_page_stands_once_in_the_sites_contents() -> None:
    assert sorted(in_nav(SITE["nav"])) == WRITTEN


def test_the_site_takes_nothing_from_another_host() -> None:
    assert SITE["theme"]["font"] is False
    assert SITE["plugins"] == ["search"]
    assert not {"extra_css", "extra_javascript", "repo_url"} & SITE.keys()


@pytest.mark.parametrize("place", WRITTEN)
def test_every_link_of_a_page_leads_somewhere(place: str) -> None:
    assert [one for one in targets(text_of(place), source_of(place)) if not (ROOT / one).exists()] == []


def code_in(markdown: str) -> Iterator[str]:
    """Every piece of code of a page: words between backticks, lines of blocks."""
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", markdown)
    yield from re.findall(r"^ {4}(.+)$", markdown, re.MULTILINE)


def told_commands(place: str) -> list[list[str]]:
    """Every command of Crafty's that a page tells to type, in words."""
    found = (re.match(r"(?:\.venv/bin/)?(crafty [a-z].*)", code) for code in code_in(text_of(place)))
    return [one[1].partition("  #")[0].split() for one in found if one]


@pytest.mark.parametrize("place", WRITTEN)
def test_every_command_that_a_page_tells_to_type_is_there(place: str) -> None:
    for words in told_commands(place):
        name = max((one for one in COMMANDS if words[: len(one.split())] == one.split()), key=len)
        options = {option for one in COMMANDS[name].params for option in one.opts}
        assert name != "crafty", words
        assert {word for word in words if word.startswith("--")} <= options | {"--help"}, words


def test_every_make_target_that_a_page_names_is_there() -> None:
    known = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for place in WRITTEN for target in re.findall(r"`make ([a-z-]+)", text_of(place))}
    assert named <= known


def test_the_changelog_tells_of_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert re.search(rf"^## {re.escape(version[1])} \(.+\)$", text_of("changelog.md"), re.MULTILINE)


# How the pages are written


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 100}, "a whole number from 1 to 100"),
        ({"type": "number", "minimum": 0}, "a number from 0"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        ({"anyOf": [{"type": "boolean"}, {"const": ""}]}, "`true` or `false`"),
        ({"type": "array", "items": {"type": "string", "examples": ["FR"]}}, 'a list; each: text, such as `"FR"`'),
        ({"enum": ["on", "off"]}, '`"on"`, `"off"`'),
        ({"$ref": "#/$defs/Day"}, "a day, such as `2026-12-31`"),
        ({"type": "string", "$comment": "Working time: no weekends."}, "working time"),
    ],
)
def test_what_a_setting_takes_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert kind(schema, {"Day": {"type": "string", "format": "date"}}) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        ("é", '"é"'),
        (["a", 1], '["a", 1]'),
        ({"day": 9, "time": "24:00"}, '{ day = 9, time = "24:00" }'),
    ],
)
def test_a_default_reads_as_in_crafty_toml(value: Any, text: str) -> None:
    assert toml(value) == text


def test_nothing_in_a_cell_ends_it() -> None:
    assert table(("a",), [("one | two\nthree",)]) == "| a |\n| --- |\n| one \\| two three |\n"


@pytest.mark.parametrize(
    ("place", "link", "led"),
    [
        ("api.md", "[c](console.md#how)", "[c](console.md#how)"),
        ("reference/rules.md", "[c](../console.md)", "[c](../console.md)"),
        ("support.md", "[c](docs/console.md#how)", "[c](console.md#how)"),
        ("index.md", "[c](../CONTRIBUTING.md)", "[c](contributing.md)"),
        ("reference/api.md", "[c](../../CHANGELOG.md)", "[c](../changelog.md)"),
        ("metrics.md", "[deploy/Caddyfile](../deploy/Caddyfile)", "deploy/Caddyfile"),
        ("api.md", "[c](https://example.org/docs/x)", "[c](https://example.org/docs/x)"),
        ("api.md", "![](images/x.png)", "![](images/x.png)"),
    ],
)
def test_a_link_works_on_the_site_as_in_the_repository(place: str, link: str, led: str) -> None:
    assert for_site(link, place) == led


# The example of docs/adding-a-rule.md


@pytest.fixture
def with_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example's file among the rules, as if it had been put there before the process started."""
    shutil.copy(EXAMPLES / "missing_steps.py", tmp_path)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    all_rules.cache_clear()
    yield
    all_rules.cache_clear()
    sys.modules.pop("service.rules.missing_steps", None)


@pytest.fixture
async def visitor(with_the_example: None, redis_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(app_with_tokens(redis_url, clock), ADMIN) as client:
        yield client


async def test_the_api_and_the_console_have_a_new_rule(visitor: httpx.AsyncClient) -> None:
    told = (await visitor.get("/api/v1/rules/missing-steps")).json()
    at_the_console = Visitor(visitor)
    await at_the_console.log_in()
    await at_the_console.open("/rules/missing-steps")

    assert (told["title"], told["params"]["grace"]) == ("Missing steps", "24h")
    assert "A bug of the running sprint says how to see it." in at_the_console.words
    assert "How long a bug may be without its steps before somebody asks." in at_the_console.words


def test_the_documentation_has_a_new_rule(with_the_example: None) -> None:
    page = rules_page.page()

    assert "| [missing-steps](#missing-steps) | A bug of the running sprint says how to see it. |" in page
    assert '| `grace` | working time | `"24h"` | How long a bug may be without its steps before' in page
    assert "- {who}, could you add to the description how to see this?" in page


def test_the_command_line_has_a_new_rule(
    with_the_example: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crafty.toml").write_text(CONFIG + '[rules.missing-steps]\nmode = "dry-run"\n')
    monkeypatch.chdir(tmp_path)
    for name in (name for name in os.environ if name.startswith("CRAFTY_")):
        monkeypatch.delenv(name)
    listed = json.loads(CliRunner().invoke(app, ["rules", "--json"]).stdout)

    assert {one["name"]: one["mode"] for one in listed}["missing-steps"] == "dry-run"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the code with two new files: the example's rule and its test."""
    for part in ("service", "tests"):
        shutil.copytree(ROOT / part, tmp_path / part)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(EXAMPLES / "missing_steps.py", tmp_path / "service" / "rules")
    shutil.copy(EXAMPLES / "test_missing_steps.py", tmp_path / "tests" / "rules")
    return tmp_path


def test_a_new_rule_is_two_new_files(house: Path) -> None:
    tested = subprocess.run(
        [
            *PYTEST,
            "tests/rules/test_missing_steps.py",
            "tests/rules/test_contract.py",
            "-k",
            "missing_steps or missing-steps",
        ],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert re.search(r"\d+ passed", tested.stdout)
