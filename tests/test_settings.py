"""Settings from the environment and from crafty.toml: what is taken, what is refused, and how a refusal reads."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from service.config import CellConfig, Config, RuleConfig, load_config, parse_config
from service.engine import rulebook
from service.errors import ConfigError, Problem
from service.settings import SECRET_FILES, VARIABLES, Settings, load
from service.toml_problems import Source, dotted, line_of, problems_from
from service.values import Duration, Holidays, WorkingTime, format_duration, parse_duration

DEPLOY = Path(__file__).parent.parent / "deploy"

TEAM = """\
[calendar]
anchor = 2026-11-02T09:00:00

[[cells]]
name = "Serenity"
projects = ["SE"]
[cells.roles]
sprint_manager = "mia"

[[people]]
id = "mia"
name = "Mia"
cell = "Serenity"
jira = "m1"
"""


def parsed(text: str) -> Config:
    return parse_config(Source("crafty.toml", text))


def found_in(text: str) -> tuple[Problem, ...]:
    """The problems of a text, none where it is a configuration; any other exception passes through."""
    try:
        parsed(text)
    except ConfigError as error:
        return error.problems
    return ()


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return caught.value.problems


def variable_problems(environ: Mapping[str, str], directory: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(environ, directory)
    return [str(problem) for problem in caught.value.problems]


# The environment


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert (settings.host, settings.port, settings.max_body_bytes) == ("127.0.0.1", 8000, 5 * 1024 * 1024)
    assert settings.data_dir == tmp_path / ".crafty"
    assert settings.config == Config()
    assert not settings.redis_url
    assert settings.secret_values == ()


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        pytest.param("PORT", "65535", "port", 65535, id="the highest port"),
        pytest.param("PORT", " 8080 ", "port", 8080, id="blanks around a value do not count"),
        pytest.param("PORT", "", "port", 8000, id="a variable set to nothing is not set"),
        pytest.param("JIRA_URL", "https://jira.example/", "jira_url", "https://jira.example", id="a slash at the end"),
        pytest.param("JIRA_URL", "http://j.example/jira", "jira_url", "http://j.example/jira", id="a context path"),
        pytest.param("JIRA_URL", "http://[::1]:8080", "jira_url", "http://[::1]:8080", id="an IPv6 address"),
        pytest.param("JIRA_KIND", "datacenter", "jira_kind", "datacenter", id="Data Center"),
        pytest.param("LOG_LEVEL", "debug", "log_level", "DEBUG", id="a log level in lower case"),
        pytest.param("MAX_BODY_BYTES", "1", "max_body_bytes", 1, id="the smallest body limit"),
    ],
)
def test_a_variable_sets_its_field(tmp_path: Path, name: str, value: str, field: str, expected: object) -> None:
    assert getattr(load({f"CRAFTY_{name}": value}, tmp_path), field) == expected


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        pytest.param("PORT", "65536", "65535 or less", id="a port too high"),
        pytest.param("PORT", "-1", "0 or more", id="a port below zero"),
        pytest.param("PORT", "http", "whole number", id="a port in words"),
        pytest.param("MAX_BODY_BYTES", "0", "1 or more", id="no body at all"),
        pytest.param("JIRA_KIND", "server", "'cloud' or 'datacenter'", id="an unknown Jira"),
        pytest.param("LOG_LEVEL", "loud", "'DEBUG'", id="an unknown log level"),
        pytest.param(
            "JIRA_URL",
            "https://api.atlassian.com/ex/jira/1-2",
            "CRAFTY_JIRA_API_URL",
            id="an address that people can't open",
        ),
        pytest.param("JIRA_URL", "jira.example", "https://", id="an address without a scheme"),
        pytest.param("JIRA_URL", "ftp://jira.example", "https://", id="an address of another scheme"),
        pytest.param("JIRA_URL", "https://", "https://", id="an address without a host"),
        pytest.param("JIRA_URL", "https://a b.example", "https://", id="an address with a blank"),
        pytest.param("JIRA_URL", "https://ann:hush@jira.example", "user name", id="an address with a password"),
        pytest.param("JIRA_URL", "https://jira.example?a=1", '"?"', id="an address with a query"),
        pytest.param("JIRA_URL", "https://jira.example:99999", "port", id="an address with an impossible port"),
        pytest.param("JIRA_URL", "https://[::1", "host", id="an address with half a bracket"),
        pytest.param("JIRA_URL", "https://jira\n.example", "host", id="an address over two lines"),
        pytest.param("REDIS_URL", "http://h", "rediss://", id="Redis by http"),
        pytest.param("REDIS_URL", "redis://", "rediss://", id="Redis without a host"),
        pytest.param("REDIS_URL", "redis://h:port", "port", id="Redis with a port in words"),
        pytest.param("REDIS_URL", "redis+sentinel://h:26379", "service", id="Sentinel without a service"),
        pytest.param("ADMIN_TOKENS", "ann", "name:token", id="no colon"),
        pytest.param("ADMIN_TOKENS", "ann:t1,:t2", "number 2", id="a second token without a name"),
        pytest.param("ADMIN_TOKENS", "ann:", "name:token", id="a name without a token"),
        pytest.param("ADMIN_TOKENS", "ann:t1,bob:t1", "their own", id="two people with one token"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(tmp_path: Path, name: str, value: str, hint: str) -> None:
    (problem,) = variable_problems({f"CRAFTY_{name}": value}, tmp_path)
    assert problem.startswith(f"CRAFTY_{name}: should")
    assert hint in problem


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("redis://localhost", id="a host"),
        pytest.param("rediss://:hush@cache.example:6380/2", id="encrypted, with a password"),
        pytest.param("unix:///run/redis.sock?db=1", id="a socket"),
        pytest.param("redis+sentinel://:hush@h1:26379,h2:26379/main/0", id="Sentinel"),
    ],
)
def test_redis_is_found_in_four_ways(tmp_path: Path, url: str) -> None:
    assert load({"CRAFTY_REDIS_URL": url}, tmp_path).redis_url.get_secret_value() == url


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "CRAFTY_PORT=1111\nexport CRAFTY_HOST='::1'\nCRAFTY_JIRA_EMAIL=a@b.example\nPATH=/x\n"
    )
    settings = load({"CRAFTY_PORT": "2222", "CRAFTY_JIRA_EMAIL": "", "HOME": "/"}, tmp_path)
    assert (settings.port, settings.host, settings.jira_email) == (2222, "::1", None)


def test_the_env_file_is_taken_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CRAFTY_JIRA_TOKEN=a${HOME}b\n")
    assert load({}, tmp_path).jira_token.get_secret_value() == "a${HOME}b"


def test_an_env_file_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"CRAFTY_HOST=\xff\xfe\n")
    (problem,) = variable_problems({}, tmp_path)
    assert problem.startswith(".env: is not UTF-8 text")


@pytest.mark.parametrize("name", sorted(SECRET_FILES))
def test_every_secret_can_come_from_a_file(tmp_path: Path, name: str) -> None:
    others = {
        "redis_url": "redis://h",
        "admin_tokens": "a:b",
        "viewer_tokens": "a:b",
        "channels": "a=json://b\nc=json://d",
    }
    value = others.get(SECRET_FILES[name], "hush")
    (tmp_path / "secret").write_text(f"{value}\n")
    secret: SecretStr = getattr(load({name: "secret"}, tmp_path), SECRET_FILES[name])
    assert secret.get_secret_value() == value


def test_a_secret_s_file_in_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CRAFTY_JIRA_TOKEN=old\n")
    (tmp_path / "secret").write_text("new")
    settings = load({"CRAFTY_JIRA_TOKEN_FILE": str(tmp_path / "secret")}, tmp_path)
    assert settings.jira_token.get_secret_value() == "new"


def test_a_secret_given_twice_in_one_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one")
    problems = variable_problems({"CRAFTY_JIRA_TOKEN": "two", "CRAFTY_JIRA_TOKEN_FILE": "secret"}, tmp_path)
    assert problems == ["CRAFTY_JIRA_TOKEN_FILE: is set beside CRAFTY_JIRA_TOKEN; keep one of the two"]


def test_a_secret_s_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    (problem,) = variable_problems({"CRAFTY_JIRA_TOKEN_FILE": "nowhere"}, tmp_path)
    assert problem.startswith("CRAFTY_JIRA_TOKEN_FILE: can't be read")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("CRAFTY_JIRA_TOKN", "did you mean CRAFTY_JIRA_TOKEN?", id="a slip"),
        pytest.param("CRAFTY_PORT_FILE", "did you mean CRAFTY_PORT?", id="a file for what is no secret"),
        pytest.param("CRAFTY_Q", "or take it out", id="nothing like it"),
    ],
)
def test_an_unknown_variable_is_an_error_with_the_nearest_name(tmp_path: Path, name: str, hint: str) -> None:
    (problem,) = variable_problems({name: "x"}, tmp_path)
    assert problem.startswith(f"{name}: is not a variable")
    assert hint in problem


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    problems = variable_problems({"CRAFTY_JIRA_TOKEN": os.fsdecode(b"hush\xff")}, tmp_path)
    assert problems == ["CRAFTY_JIRA_TOKEN: is not UTF-8 text; set it again"]


def test_all_problems_of_environment_and_file_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "crafty.toml").write_text("\n[calender]\n")
    problems = variable_problems({"CRAFTY_PORT": "x", "CRAFTY_JIRA_KIND": "y", "CRAFTY_Q": "z"}, tmp_path)
    assert [problem.split(": ")[0] for problem in problems] == [
        "CRAFTY_Q",
        "crafty.toml:2",
        "CRAFTY_PORT",
        "CRAFTY_JIRA_KIND",
    ]


def test_no_error_and_no_repr_shows_a_secret(tmp_path: Path) -> None:
    secrets = {variable: "hush,:hush" for variable, name in VARIABLES.items() if f"{variable}_FILE" in SECRET_FILES}
    assert "hush" not in "".join(variable_problems(secrets, tmp_path))
    good = {**secrets, "CRAFTY_REDIS_URL": "redis://:hush@h", "CRAFTY_ADMIN_TOKENS": "a:hush"}
    good["CRAFTY_CHANNELS"] = "team=json://a:hush@h"
    settings = load({**good, "CRAFTY_VIEWER_TOKENS": "b:hushhush"}, tmp_path)
    assert "hush" not in repr(settings)
    assert "hush" not in repr((settings.admins, settings.viewers))


def test_a_validation_error_of_the_model_itself_shows_no_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(admin_tokens=SecretStr("hush"), jira_kind="hush")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("", (), id="empty: not configured"),
        pytest.param(" , ,", (), id="commas alone: not configured"),
        pytest.param("one", ("one",), id="one"),
        pytest.param("new, old", ("new", "old"), id="two, while it is rotated"),
        pytest.param("new,,", ("new",), id="a blank one does not count"),
    ],
)
@pytest.mark.parametrize("name", ["jira", "discourse", "github", "gitlab"])
def test_a_webhook_secret_may_be_several(tmp_path: Path, name: str, value: str, expected: tuple[str, ...]) -> None:
    settings = load({f"CRAFTY_{name.upper()}_WEBHOOK_SECRET": value}, tmp_path)
    assert getattr(settings, f"{name}_webhook_secrets") == expected


def test_the_webhook_token_may_be_several(tmp_path: Path) -> None:
    assert load({"CRAFTY_JIRA_WEBHOOK_TOKEN": "new,old"}, tmp_path).jira_webhook_tokens == ("new", "old")


def test_tokens_belong_to_names(tmp_path: Path) -> None:
    settings = load({"CRAFTY_ADMIN_TOKENS": "ann:t:1, bob : t2", "CRAFTY_VIEWER_TOKENS": "cy:t3"}, tmp_path)
    assert [(admin.name, admin.token) for admin in settings.admins] == [("ann", "t:1"), ("bob", "t2")]
    assert [(viewer.name, viewer.token) for viewer in settings.viewers] == [("cy", "t3")]


def test_a_viewer_s_token_is_no_admin_s(tmp_path: Path) -> None:
    environ = {"CRAFTY_ADMIN_TOKENS": "ann:t1", "CRAFTY_VIEWER_TOKENS": "cy:t1"}
    assert variable_problems(environ, tmp_path) == [
        "CRAFTY_VIEWER_TOKENS: should not repeat a token of CRAFTY_ADMIN_TOKENS"
    ]


def test_the_log_is_told_every_secret(tmp_path: Path) -> None:
    environ = {
        "CRAFTY_REDIS_URL": "redis://ann:p%40ss@h:6379",
        "CRAFTY_JIRA_WEBHOOK_SECRET": "new,old",
        "CRAFTY_ADMIN_TOKENS": "ann:t1",
        "CRAFTY_JIRA_TOKEN": "a,b",
    }
    secrets = set(load(environ, tmp_path).secret_values)
    assert {"p%40ss", "p@ss", "new", "old", "t1", "a,b"} <= secrets
    assert "redis://ann:p%40ss@h:6379" not in secrets


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc] # what a careless caller would write


def test_the_process_s_own_environment_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRAFTY_PORT", "1")
    monkeypatch.setenv("CRAFTY_CONFIG", "x.toml")
    assert Settings().port == 8000


# Where the file is, and whether it can be read


def test_the_file_that_is_named_is_read(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(TEAM)
    settings = load({"CRAFTY_CONFIG": "ours.toml"}, tmp_path)
    assert [cell.name for cell in settings.config.cells] == ["Serenity"]
    assert settings.config.source.name == "ours.toml"


def test_the_default_file_may_be_missing_but_not_a_named_one(tmp_path: Path) -> None:
    assert load({}, tmp_path).config.cells == ()
    (problem,) = variable_problems({"CRAFTY_CONFIG": "ours.toml"}, tmp_path)
    assert problem.startswith("CRAFTY_CONFIG: names ")


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "crafty.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEAM.replace("\n", "\r\n").encode())
    assert [person.id for person in load_config(path).people] == ["mia"]


@pytest.mark.parametrize(
    ("content", "where"),
    [
        pytest.param(b"a = 1\nb = \n", "crafty.toml:2", id="a value is missing"),
        pytest.param(b"[a]\n\n[a]\n", "crafty.toml:3", id="a table twice"),
        pytest.param(b"a = 1\n\nb = '''\nx", "crafty.toml:4", id="a text without an end"),
        pytest.param(b"a = " + b"[" * 5000, "crafty.toml:1", id="lists without end"),
        pytest.param(b"a = " + b"9" * 5000, "crafty.toml:1", id="a number without end"),
        pytest.param(b"a = '\xff'", "crafty.toml", id="another encoding"),
    ],
)
def test_a_broken_file_is_a_problem_with_its_line(tmp_path: Path, content: bytes, where: str) -> None:
    (tmp_path / "crafty.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "crafty.toml")
    assert [problem.where for problem in caught.value.problems] == [where]


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_config(tmp_path)


@given(st.text(alphabet="[]{}=.,\"'#ab1- \n\t\\u", max_size=60) | st.text(max_size=30))
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    assert all(re.fullmatch(r"crafty\.toml:[1-9][0-9]*", problem.where) for problem in found_in(text))


# What the file says


@pytest.mark.parametrize(
    ("before", "after", "where", "key", "hint"),
    [
        pytest.param("[calendar]", "[calender]", 1, "calender", "calendar?", id="a table misspelt"),
        pytest.param('projects = ["SE"]', "", 4, "cells[0].projects", "is missing", id="a key missing"),
        pytest.param('["SE"]', "[]", 6, "cells[0].projects", "needs an entry", id="no project"),
        pytest.param('["SE"]', '"SE"', 6, "cells[0].projects", "square brackets", id="no list"),
        pytest.param('["SE"]', '["se"]', 6, "cells[0].projects[0]", "capitals", id="a project in small letters"),
        pytest.param('["SE"]', '[\n"SE",\n3]', 6, "cells[0].projects[1]", "text in quotes", id="a list over lines"),
        pytest.param('["SE"]', '["SE"]\nboard = "12"', 7, "cells[0].board", "whole number", id="a number in quotes"),
        pytest.param('["SE"]', '["SE"]\nboard = 0', 7, "cells[0].board", "1 or more", id="board 0"),
        pytest.param('["SE"]', '["SE"]\nrepositories = ["a"]', 7, "cells[0].repositories[0]", "owner", id="no owner"),
        pytest.param("sprint_manager", "manager", 8, "cells[0].roles.manager", "sprint_manager?", id="no such role"),
        pytest.param('id = "mia"', 'id = "m m"', 11, "people[0].id", "plain letters", id="an id with a blank"),
        pytest.param('"Mia"', '" "', 12, "people[0].name", "empty", id="a blank name"),
        pytest.param('"m1"', '"m1"\nnewcomer = "no"', 15, "people[0].newcomer", "true or false", id="no truth"),
        pytest.param('"m1"', '"m1"\nweekly_hours = -1', 15, "people[0].weekly_hours", "0 or more", id="negative hours"),
        pytest.param('"m1"', '"m1"\ntimezone = "Paris"', 15, "people[0].timezone", "Europe/Paris?", id="zone by city"),
        pytest.param('"m1"', '"m1"\ntimezone = ""', 15, "people[0].timezone", "IANA", id="an empty zone"),
        pytest.param('"m1"', '"m1"\ntimezone = "../x"', 15, "people[0].timezone", "IANA", id="a zone with a path"),
        pytest.param(
            '"m1"',
            '"m1"\ntime_off = [{ first = 2026-01-02, last = 2026-01-01 }]',
            15,
            "people[0].time_off[0]",
            "swap",
            id="an absence turned around",
        ),
        pytest.param("09:00:00", "09:00:00+01:00", 2, "calendar.anchor", "offset", id="an anchor with an offset"),
        pytest.param("2026-11-02T09:00:00", "2026-11-02", 2, "calendar.anchor", "date and time", id="an anchor's day"),
        pytest.param("2026-", "1066-", 2, "calendar.anchor", "1900", id="an anchor long ago"),
        pytest.param("[[cells]]", "length_days = 0\n[[cells]]", 4, "calendar.length_days", "1 or more", id="no days"),
        pytest.param("[[cells]]", 'holidays = ["fr"]\n[[cells]]', 4, "calendar.holidays[0]", "FR?", id="small letters"),
        pytest.param(
            "[[cells]]", 'holidays = ["DE-BAY"]\n[[cells]]', 4, "calendar.holidays[0]", "DE-BY?", id="a region"
        ),
        pytest.param("[[cells]]", 'holidays = ["FR-"]\n[[cells]]', 4, "calendar.holidays[0]", "FR-", id="no region"),
        pytest.param("[[cells]]", "holidays = [3]\n[[cells]]", 4, "calendar.holidays[0]", '"FR"', id="a number"),
        pytest.param(
            "[[cells]]",
            'review_deadline = { day = 1, time = "9:00" }\n[[cells]]',
            4,
            "calendar.review_deadline.time",
            "HH:MM",
            id="a time with one digit",
        ),
        pytest.param(
            "[[people]]", "[rules.a]\nmode = true\n[[people]]", 11, "rules.a.mode", "'dry-run'", id="mode true"
        ),
        pytest.param("[[people]]", '[rules.a]\nsettle = "soon"\n[[people]]', 11, "rules.a.settle", "2m", id="soon"),
        pytest.param(
            "[[people]]",
            '[rules.a.cells."x y"]\nmode = ""\n[[people]]',
            11,
            'rules.a.cells."x y".mode',
            "'on'",
            id="a mode in a cell",
        ),
    ],
)
def test_a_wrong_value_is_a_problem_with_line_and_key(before: str, after: str, where: int, key: str, hint: str) -> None:
    (problem,) = problems_of(TEAM.replace(before, after, 1))
    assert (problem.where, problem.key) == (f"crafty.toml:{where}", key)
    assert hint in problem.what


CELL = """
[[cells]]
name = "Zenith"
projects = ["ZE"]
"""


@pytest.mark.parametrize(
    ("text", "where", "key", "hint"),
    [
        pytest.param(
            TEAM.replace('= "mia"', '= "mio"', 1),
            8,
            "cells[0].roles.sprint_manager",
            "mia?",
            id="a stranger holds a role",
        ),
        pytest.param(
            TEAM + '[[cells.rotations]]\nrole = "f"\npeople = ["mia",\n"x"]',
            17,
            "cells[0].rotations[0].people[1]",
            "nobody",
            id="a stranger is on duty",
        ),
        pytest.param(
            TEAM.replace('cell = "Serenity"', 'cell = "Serenety"'),
            13,
            "people[0].cell",
            "Serenity?",
            id="a member of no cell",
        ),
        pytest.param(TEAM + '[rules.a.cells."Zen"]', 15, "rules.a.cells.Zen", "no cell", id="a rule set for no cell"),
        pytest.param(
            TEAM + CELL.replace("ZE", "SE"),
            18,
            "cells[1].projects[0]",
            "cells[0].projects[0]",
            id="two cells with one project",
        ),
        pytest.param(
            TEAM + CELL.replace("Zenith", "Serenity"),
            17,
            "cells[1].name",
            "taken already",
            id="two cells with one name",
        ),
        pytest.param(
            TEAM + '[[people]]\nid = "mia"\nname = "M"',
            16,
            "people[1].id",
            "taken already",
            id="two people with one id",
        ),
        pytest.param(
            TEAM + '[[people]]\nid = "max"\nname = "M"\njira = "m1"',
            18,
            "people[1].jira",
            "somebody else's",
            id="two people with one account",
        ),
        pytest.param(TEAM.replace("anchor", "# anchor"), 1, "calendar.anchor", "is missing", id="no anchor for a cell"),
        pytest.param(
            TEAM.replace("[[cells]]", "length_days = 11\n[[cells]]"),
            4,
            "calendar.length_days",
            "green_deadline",
            id="a sprint shorter than a default deadline",
        ),
        pytest.param(
            TEAM.replace("[[cells]]", 'green_deadline = { day = 14, time = "00:00" }\n[[cells]]'),
            4,
            "calendar.green_deadline",
            "day 13",
            id="a deadline on the day after the last",
        ),
        pytest.param(
            TEAM + CELL + "[cells.calendar]\nlength_days = 11",
            20,
            "cells[1].calendar.length_days",
            "green_deadline",
            id="a cell's sprint shorter than a deadline",
        ),
        pytest.param(
            TEAM + CELL + '[[cells.rotations]]\nrole = "f"\npeople = ["mia"]\ndays = [7, 14]',
            22,
            "cells[1].rotations[0].days",
            "day 14",
            id="a duty after the last day",
        ),
        pytest.param(
            TEAM + CELL + '[[cells.rotations]]\nrole = "f"\npeople = ["mia"]\ndays = [7, 6]',
            22,
            "cells[1].rotations[0].days",
            "before the last",
            id="a duty turned around",
        ),
    ],
)
def test_tables_that_contradict_each_other_are_problems(text: str, where: int, key: str, hint: str) -> None:
    (problem,) = problems_of(text)
    assert (problem.where, problem.key) == (f"crafty.toml:{where}", key)
    assert hint in problem.what


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            TEAM.replace("[[cells]]", 'green_deadline = { day = 13, time = "24:00" }\n[[cells]]'), id="the last day"
        ),
        pytest.param(
            TEAM.replace("[[cells]]", "length_days = 12\n[[cells]]"), id="a sprint as long as its last deadline"
        ),
        pytest.param(
            TEAM + '[[cells.rotations]]\nrole = "f"\npeople = ["mia"]\ndays = [13, 13]', id="a duty on the last day"
        ),
        pytest.param("", id="nothing at all"),
        pytest.param("[calendar]\n", id="no anchor, but no cell either"),
        pytest.param(
            TEAM.replace("anchor", "# anchor") + "[cells.calendar]\nanchor = 2026-11-02T09:00:00",
            id="an anchor of the cell's own",
        ),
    ],
)
def test_what_is_just_right_is_taken(text: str) -> None:
    assert isinstance(parsed(text), Config)


def test_every_problem_of_a_kind_is_told_at_once() -> None:
    text = TEAM.replace("[calendar]", "[calendar]\nlengthdays = 3").replace('"Mia"', "3").replace("name", "nome", 1)
    assert [problem.key for problem in problems_of(text)] == [
        "calendar.lengthdays",
        "cells[0].name",
        "cells[0].nome",
        "people[0].name",
    ]


def test_a_cell_s_calendar_overrides_only_what_it_sets() -> None:
    text = TEAM.replace("[calendar]", '[calendar]\ntimezone = "Asia/Tokyo"\nlength_days = 21')
    config = parsed(text + '[cells.calendar]\ntimezone = "UTC"\n')
    merged = config.calendar.overridden_by(config.cells[0].calendar)
    assert (merged.timezone, merged.length_days, merged.anchor) == ("UTC", 21, config.calendar.anchor)


def test_a_duty_lasts_the_whole_sprint_unless_it_names_its_days() -> None:
    duty = '[[cells.rotations]]\nrole = "f"\npeople = ["mia"]\n'
    whole, week = parsed(f"{TEAM}{duty}{duty}days = [0, 6]").cells[0].rotations
    assert (whole.span(14), whole.span(21), week.span(14)) == ((0, 13), (0, 20), (0, 6))


def test_absences_are_pairs_of_days() -> None:
    text = TEAM + "time_off = [{ first = 2026-12-21, last = 2026-12-21 }]"
    assert parsed(text).people[0].absences == ((date(2026, 12, 21), date(2026, 12, 21)),)


# Rules


RULE = """
[rules.green-ticket]
mode = "dry-run"
reminder_lead = "24h"
copy = 1
[rules.green-ticket.cells.Serenity]
settle = "5m"
reminder_lead = "48h"
"""


def test_a_rule_s_own_keys_are_kept_as_they_stand() -> None:
    rule = parsed(TEAM + RULE).rules["green-ticket"]
    assert (rule.mode, rule.settle) == ("dry-run", timedelta(minutes=2))
    assert rule.params == {"reminder_lead": "24h", "copy": 1}


def test_a_cell_overrides_what_it_sets_of_a_rule() -> None:
    rule = parsed(TEAM + RULE).rules["green-ticket"]
    here, elsewhere = rule.in_cell("Serenity"), rule.in_cell("Zenith")
    assert (here.mode, here.settle, here.params["reminder_lead"]) == ("dry-run", timedelta(minutes=5), "48h")
    assert (elsewhere.settle, elsewhere.params["reminder_lead"]) == (timedelta(minutes=2), "24h")
    assert here.params["copy"] == 1


def test_a_rule_that_the_file_does_not_name_is_on() -> None:
    assert (RuleConfig().mode, RuleConfig().settle, RuleConfig().params) == ("on", timedelta(minutes=2), {})


class Params(BaseModel):
    """What a rule might take."""

    model_config = ConfigDict(extra="forbid")
    grace: WorkingTime = Field("24h", validate_default=True, description="How long it waits.")
    loud: bool = Field(False, description="Whether it shouts.")


def test_a_rule_s_own_model_reports_its_problems_like_the_file_s() -> None:
    config = parsed('[rules.x]\nmode = "on"\nlod = true\ngrace = "a while"\n')
    with pytest.raises(ValidationError) as caught:
        Params.model_validate(dict(config.rules["x"].params))
    problems = problems_from(caught.value, Params, config.source, ("rules", "x"))
    assert [(problem.where, problem.key) for problem in problems] == [
        ("crafty.toml:4", "rules.x.grace"),
        ("crafty.toml:3", "rules.x.lod"),
    ]
    assert problems[1].what == "is not a known key; did you mean loud?"


# Holidays


@pytest.mark.parametrize(
    ("day", "is_off"),
    [
        pytest.param(date(2026, 7, 14), True, id="France's national day"),
        pytest.param(date(2041, 7, 14), True, id="the same in a far year"),
        pytest.param(date(2026, 7, 15), False, id="the day after"),
        pytest.param(date(2026, 1, 6), True, id="Epiphany, in Bavaria"),
        pytest.param(date(2026, 12, 30), False, id="the day before a single day"),
        pytest.param(date(2026, 12, 31), True, id="a single day"),
        pytest.param(date(2027, 12, 31), False, id="a single day of another year"),
    ],
)
def test_holidays_answer_for_any_year(day: date, is_off: bool) -> None:
    config = parsed('[calendar]\nholidays = ["FR", "DE-BY", 2026-12-31]')
    assert (day in Holidays.of(config.calendar.holidays)) is is_off


def test_equal_holidays_are_one_value() -> None:
    last_day = date(2026, 12, 31)
    assert len({Holidays.of(["FR", last_day]), Holidays.of([last_day, "FR"])}) == 1


# Durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("90s", 90, id="seconds"),
        pytest.param("2m", 120, id="minutes"),
        pytest.param("24h", 86_400, id="hours"),
        pytest.param("3d", 259_200, id="days"),
        pytest.param("1h 30m", 5_400, id="two units"),
        pytest.param("1d2h3m4s", 93_784, id="all units, close together"),
        pytest.param(" 2m ", 120, id="blanks around it"),
        pytest.param("0s", 0, id="nothing, with a unit"),
        pytest.param("0", 0, id="nothing"),
        pytest.param(0, 0, id="nothing, as a number"),
        pytest.param("365d", 31_536_000, id="the longest"),
    ],
)
def test_a_duration_is_read(text: object, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="nothing written"),
        pytest.param("2", id="no unit"),
        pytest.param("2 m", id="a blank before the unit"),
        pytest.param("-2m", id="negative"),
        pytest.param("1.5h", id="a fraction"),
        pytest.param("30m 1h", id="the wrong order"),
        pytest.param("1h 1h", id="a unit twice"),
        pytest.param("1w", id="weeks"),
        pytest.param("366d", id="too long"),
        pytest.param("99999999d", id="far too long"),
        pytest.param("999999999999d", id="beyond any calendar"),
        pytest.param("٢m", id="digits of another script"),
        pytest.param("2m\n\n3s", id="lines between"),
        pytest.param(2, id="a number"),
        pytest.param(False, id="a truth value"),
        pytest.param(None, id="None"),
        pytest.param(timedelta(seconds=-1), id="a negative timedelta"),
    ],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"Write the time with its units|between 0 and 365 days"):
        parse_duration(value)


@given(st.integers(0, 365 * 86_400))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert parse_duration(format_duration(span)) == span


@given(st.integers(0, 365 * 86_400))
def test_what_is_written_fits_the_schema_s_pattern(seconds: int) -> None:
    schema = Params.model_json_schema()["properties"]["grace"]
    jsonschema.validate(format_duration(timedelta(seconds=seconds)), schema)


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        pytest.param(24, "24h", id="a day stays in hours"),
        pytest.param(71, "71h", id="below three days"),
        pytest.param(72, "3d", id="three days"),
        pytest.param(73, "3d 1h", id="above three days"),
        pytest.param(0, "0s", id="nothing"),
    ],
)
def test_days_are_written_from_three_on(hours: int, text: str) -> None:
    assert format_duration(timedelta(hours=hours)) == text


class Spans(BaseModel):
    """The two kinds of duration side by side."""

    clock: Duration = Field("2m", validate_default=True, description="By the clock.")
    work: WorkingTime = Field("24h", validate_default=True, description="In working time.")


def test_durations_have_a_schema_that_people_can_read() -> None:
    properties = Spans.model_json_schema()["properties"]
    assert [properties[name]["type"] for name in ("clock", "work")] == ["string", "string"]
    assert [properties[name]["default"] for name in ("clock", "work")] == ["2m", "24h"]
    assert "1h 30m" in properties["work"]["examples"]
    assert properties["clock"]["$comment"] != properties["work"]["$comment"]
    assert Spans().model_dump(mode="json") == {"clock": "2m", "work": "24h"}


# Lines


DOCUMENT = """\
top = 1

# a remark
[a]
b = [
  1,

  { c = 2 },
]
d = '''
[a.e]
'''

[a.e]
"f g" = 3
[[h]]
i = 1
[[h]]
i = 2
[h.j]
k = 3
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param((), 1, id="the document"),
        pytest.param(("top",), 1, id="the first value"),
        pytest.param(("a",), 4, id="a table"),
        pytest.param(("a", "b"), 5, id="a value over several lines"),
        pytest.param(("a", "b", 1, "c"), 5, id="a value inside it"),
        pytest.param(("a", "d"), 10, id="a text that looks like a table"),
        pytest.param(("a", "e"), 14, id="the table that the text looked like"),
        pytest.param(("a", "e", "f g"), 15, id="a quoted key"),
        pytest.param(("h", 0), 16, id="the first of several tables"),
        pytest.param(("h", 1), 18, id="the second"),
        pytest.param(("h", 1, "i"), 19, id="a value of the second"),
        pytest.param(("h", 1, "j", "k"), 21, id="a value in a table of the second"),
        pytest.param(("h", 0, "j"), 16, id="a missing table: the one around it"),
        pytest.param(("h", 2, "i"), 16, id="a missing entry: the first of the array"),
        pytest.param(("a", "b", "c"), 5, id="a key in a list: the list"),
        pytest.param(("z", "y"), 1, id="a missing table at the top"),
    ],
)
def test_a_value_s_line_is_found(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(DOCUMENT, path) == line
    assert line_of(DOCUMENT.replace("\n", "\r\n"), path) == line


def test_a_text_that_stops_being_toml_leads_to_what_stands_before() -> None:
    assert line_of("a = 1\nb = 2\nc = \nd = 4", ("b",)) == 2
    assert line_of("a = 1\nb = 2\nc = \nd = 4", ("d",)) == 1


@given(st.lists(st.sampled_from(["", "# x", "[[t]]", "[t.u]", "v = [\n1,\n2]", "w = '''\n[[t]]\n'''"]), max_size=12))
def test_later_values_stand_on_later_lines(parts: list[str]) -> None:
    text = "\n".join(["[[t]]", *parts])
    try:
        count = len(tomllib.loads(text)["t"])
    except tomllib.TOMLDecodeError:
        count = 1
    lines = [line_of(text, ("t", position)) for position in range(count)]
    assert all(first < second for first, second in pairwise(lines))
    assert all(text.split("\n")[line - 1] == "[[t]]" for line in lines)


def test_a_long_file_s_problem_is_found_at_once() -> None:
    text = "\n".join(f'[[people]]\nid = "p{n}"\nname = "P"' for n in range(2000)) + "\n[[people]]\nid = 3"
    assert {problem.where for problem in problems_of(text)} == {"crafty.toml:6001", "crafty.toml:6002"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param((), "", id="nothing"),
        pytest.param(("cells", 0, "board"), "cells[0].board", id="a position"),
        pytest.param(("rules", "green-ticket"), "rules.green-ticket", id="a dash"),
        pytest.param(("cells", "A b.c"), 'cells."A b.c"', id="a key that needs quotes"),
    ],
)
def test_a_path_is_written_as_people_write_it(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


# Manuals that hold


def nested(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside a field's type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {tuple, dict, Annotated, UnionType}:
        for part in get_args(annotation):
            yield from nested(part)


def tables(value: Any) -> Iterator[dict[str, Any]]:
    """The tables that a value is, or holds as a list."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, dict))


def missing_keys(model: type[BaseModel], found: list[dict[str, Any]], path: str = "") -> Iterator[str]:
    """The fields of a model and of the models in it that stand in none of these tables."""
    for name, info in model.model_fields.items():
        key = info.alias or name
        values = [table[key] for table in found if key in table]
        if not values:
            yield f"{path}{key}"
        for inner in nested(info.annotation):
            below = [table for value in values for table in tables(value)]
            is_by_name = get_origin(info.annotation) is dict
            entries = [entry for table in below for entry in table.values()] if is_by_name else below
            yield from missing_keys(inner, entries, f"{path}{key}.")


#: Keys that may stand in one place alone: a cell's calendar and a rule's cell take any key of the tables they override.
OVERRIDES = ("cells.calendar.", "rules.cells.")


def test_the_example_has_every_key_and_loads() -> None:
    text = (DEPLOY / "crafty.example.toml").read_text("utf-8")
    missing = [key for key in missing_keys(Config, [tomllib.loads(text)]) if not key.startswith(OVERRIDES)]
    assert missing == []
    assert parsed(text).cells[0].name == "Serenity"


def test_the_example_s_rules_are_rules() -> None:
    config = load_config(DEPLOY / "crafty.example.toml")
    book = rulebook(config)
    assert book.setting("green-ticket", "Serenity").params.model_dump()["reminder_lead"] == "48h"
    assert {"answers", "community-ack", "spillover"} <= config.rules.keys() <= {rule.name for rule in book.rules}


def test_the_example_s_defaults_are_the_defaults() -> None:
    text = (DEPLOY / "crafty.example.toml").read_text("utf-8")
    assert parsed(text).jira == Config().jira
    assert parsed(text).calendar.green_deadline == Config().calendar.green_deadline
    assert parsed(text).cells[0].stretch_goals == CellConfig(name="x", projects=("X",)).stretch_goals


def test_every_section_of_the_example_opens_with_a_sentence() -> None:
    lines = (DEPLOY / "crafty.example.toml").read_text("utf-8").splitlines()
    seen: set[str] = set()
    for before, line in pairwise(lines):
        if line.startswith("[") and line not in seen:
            assert before.startswith("# "), line
            seen.add(line)


def test_the_env_example_has_every_variable_with_its_default() -> None:
    text = (DEPLOY / "env.example").read_text("utf-8")
    stated = dict(re.findall(r"^#(CRAFTY_\w+)=(.*)$", text, re.MULTILINE))
    defaults = {
        name: "" if field.default in {None, SecretStr("")} else str(field.default)
        for name, field in ((name, Settings.model_fields[of]) for name, of in VARIABLES.items() if of != "config")
    }
    assert stated == {**defaults, "CRAFTY_CONFIG": "crafty.toml"}


def test_the_env_example_changes_nothing_until_it_is_edited(tmp_path: Path) -> None:
    untouched = load({}, tmp_path)
    (tmp_path / ".env").write_text((DEPLOY / "env.example").read_text("utf-8"))
    assert load({}, tmp_path) == untouched


def described(model: type[BaseModel]) -> Iterator[tuple[str, str | None]]:
    for name, info in model.model_fields.items():
        yield f"{model.__name__}.{name}", info.description
        for inner in nested(info.annotation):
            yield from described(inner)


@pytest.mark.parametrize("model", [Config, Settings])
def test_every_setting_has_a_description(model: type[BaseModel]) -> None:
    assert [name for name, description in described(model) if not (description or "").endswith(".")] == []


def test_the_schema_is_one_and_accepts_the_example() -> None:
    schema = Config.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    example = tomllib.loads((DEPLOY / "crafty.example.toml").read_text("utf-8"), parse_float=float)
    jsonschema.validate(_as_json(example), schema)


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value
