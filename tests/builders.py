"""Values that tests start from; each test names only what it is about."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from service.actions import ASKING, Action, Comment, Digest, Notify, Recheck
from service.config import Config
from service.engine import Rulebook, rulebook
from service.events import Due
from service.facts import Cell, Person, Said, Sprint, Sprints, Team, Ticket
from service.roster import team_from
from service.rules._base import Context, Rule, Verdict
from service.situation import Situation, Subject
from service.texts import Checklist, Message, to_plain

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
SPRINTS = Sprints(active=RUNNING, next=NEXT, stretch_goals=STRETCH)
PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")

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
        "creator": SAM,
        "labels": (),
        "description": None,
        "links": (),
        "original_estimate": 8.0,
        "remaining_estimate": 5.0,
        "remarks": (),
        "sprint_moves": (),
        "status_changes": (),
    }
    return Ticket(**{**usual, **facts})


def wall(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """A local time, "2026-11-06 15:00", as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def verdict_of(
    rule: Rule,
    about: Subject,
    now: datetime,
    *,
    said: Said | None = None,
    sprints: Sprints = SPRINTS,
    within: Cell | None = None,
    around: dict[str, Any] | None = None,
    **params: Any,
) -> Verdict:
    """What a rule concludes about a subject at `now`, in the test team's cell unless another one is given.

    around: more of the Situation, by its fields.
    """
    situation = Situation(about, sprints, said, bot=frozenset({"acc-crafty"}), **(around or {}))
    due = Due(at=now, about=about)
    return rule.check(about, Context(rule.params(**params), within or cell(), now, due, situation))


def cell_with(**calendar: Any) -> Cell:
    """The test team's cell with another calendar, by the fields of SprintCalendar."""
    usual = cell()
    return replace(usual, calendar=replace(usual.calendar, **calendar))


def summary(verdict: Verdict) -> list[str]:
    """The actions of a verdict in one line each: kind, target, occasion; of a re-check the moment in UTC."""
    return [
        f"recheck {action.target} {action.at:%Y-%m-%d %H:%M}"
        if isinstance(action, Recheck)
        else f"{action.kind} {action.target} {action.occasion}"
        for action in verdict.actions
    ]


def said_after(verdict: Verdict, now: datetime, said: Said | None = None) -> Said | None:
    """What the rule's comment says once the verdict's actions are done at `now`; said: what it said before."""
    for comment in (action for action in verdict.actions if isinstance(action, Comment)):
        if said and said.occasion == comment.occasion:
            since = said.at if said.state.startswith(ASKING) else now
            return Said(occasion=said.occasion, state=comment.state, at=since, turns=said.turns + 1)
        return Said(occasion=comment.occasion, state=comment.state, at=now)
    return said


def messages(verdict: Verdict) -> Iterator[Message]:
    """Every message that people would get."""
    return (text for action in verdict.actions for text in _messages(action))


def _messages(action: Action) -> Iterator[Message]:
    if isinstance(action, Comment | Notify):
        yield action.message
    if isinstance(action, Digest):
        yield Message((action.intro, Checklist((action.line,)), action.footer))


def plain(verdict: Verdict) -> list[str]:
    """Those messages as words."""
    return [to_plain(message) for message in messages(verdict)]


def length(message: Message) -> int:
    """How many words it takes to read, without the lines of its checklists."""
    prose = tuple(block for block in message.blocks if not isinstance(block, Checklist))
    return len(to_plain(Message(prose)).split())
