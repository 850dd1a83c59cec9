"""Values that tests start from; each test names only what it is about."""

import tomllib
from datetime import UTC, datetime
from typing import Any

from service.config import Config
from service.engine import Rulebook, rulebook
from service.facts import Cell, Person, Sprint, Team, Ticket
from service.roster import team_from

ANN = Person(id="ann", name="Ann", jira="acc-ann", mattermost="ann", timezone="Asia/Kolkata")
BOB = Person(id="bob", name="Bob", jira="acc-bob", mattermost="bob", timezone="America/New_York")
ELI = Person(id="eli", name="Eli", jira="acc-eli", mattermost="eli")
SAM = Person(id="sam", name="Sam", jira="acc-sam", mattermost="sam")
FAY = Person(id="fay", name="Fay", jira="acc-fay", mattermost="fay")
FINN = Person(id="finn", name="Finn", jira="acc-finn", mattermost="finn")
NEW = Person(id="nia", name="Nia", jira="acc-nia", newcomer=True)

RUNNING = Sprint(
    id=41,
    name="SE Sprint 41",
    state="active",
    board=12,
    start=datetime(2026, 11, 2, 8, 0, tzinfo=UTC),
    end=datetime(2026, 11, 16, 8, 0, tzinfo=UTC),
)
NEXT = Sprint(id=42, name="SE Sprint 42", state="future", board=12)
STRETCH = Sprint(id=40, name="Stretch Goals", state="future", board=12)

CONFIG = """
[calendar]
timezone = "Europe/Paris"
anchor = 2026-11-02T09:00:00

[[cells]]
name = "Serenity"
projects = ["SE"]
board = 12
channel = "serenity"
forum_categories = [7]
[cells.roles]
sprint_planning_manager = "sam"
[[cells.rotations]]
role = "firefighter"
people = ["fay", "finn"]

[[people]]
id = "ann"
name = "Ann"
jira = "acc-ann"
mattermost = "ann"
timezone = "Asia/Kolkata"
[[people]]
id = "bob"
name = "Bob"
jira = "acc-bob"
mattermost = "bob"
timezone = "America/New_York"
[[people]]
id = "eli"
name = "Eli"
jira = "acc-eli"
mattermost = "eli"
[[people]]
id = "sam"
name = "Sam"
jira = "acc-sam"
mattermost = "sam"
[[people]]
id = "fay"
name = "Fay"
jira = "acc-fay"
mattermost = "fay"
[[people]]
id = "finn"
name = "Finn"
jira = "acc-finn"
mattermost = "finn"
[[people]]
id = "nia"
name = "Nia"
jira = "acc-nia"
newcomer = true
"""


def config(extra: str = "") -> Config:
    """The test team's configuration, with more TOML at its end."""
    return Config.model_validate(tomllib.loads(CONFIG + extra))


def team(extra: str = "") -> Team:
    return team_from(config(extra))


def cell(extra: str = "") -> Cell:
    return team(extra).cells[0]


def book(extra: str = "") -> Rulebook:
    """The rules as the test team sets them; `extra` holds [rules.*] tables."""
    return rulebook(config(extra))


def ticket(**facts: Any) -> Ticket:
    """A ticket of which everything is known: Ann's, in progress since the running sprint's start, reviewed by Bob."""
    usual: dict[str, Any] = {
        "key": "SE-1",
        "summary": "Fix the login",
        "kind": "Story",
        "is_subtask": False,
        "status": "In Progress",
        "is_done": False,
        "assignee": ANN,
        "reporter": SAM,
        "reviewer": BOB,
        "core_committer": None,
        "estimate": 3.0,
        "flagged": False,
        "sprints": (RUNNING,),
        "epic_key": None,
        "epic_owner": None,
        "created_at": datetime(2026, 10, 20, 9, 0, tzinfo=UTC),
        "updated_at": datetime(2026, 11, 2, 9, 0, tzinfo=UTC),
        "entered_status_at": datetime(2026, 11, 2, 9, 0, tzinfo=UTC),
        "url": "https://jira.example/browse/SE-1",
    }
    return Ticket(**{**usual, **facts})
