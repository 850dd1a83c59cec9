"""The configuration becomes the cells and people that rules know."""

import tomllib
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from service.attention import Attention
from service.calendar import Deadline
from service.config import CalendarConfig, Config
from service.facts import Duty, Person
from service.roster import attention_from, calendar_from, team_from
from tests.builders import ANN, FAY, FINN, SAM, cell, team, wall

TWO_CELLS = """
[calendar]
timezone = "Europe/Paris"
anchor = 2026-11-02T09:00:00
green_deadline = { day = 10, time = "18:30" }
holidays = ["FR", 2026-12-31]

[jira.statuses]
backlog = ["Icebox", "TO DO"]

[[cells]]
name = "Serenity"
projects = ["SE", "OSE"]

[[cells]]
name = "Falcon"
projects = ["FAL"]
board = 7
stretch_goals = "If time is left"
channel = "falcon"
[cells.calendar]
timezone = "America/New_York"
length_days = 7
insertion_deadline = { day = 3, time = "24:00" }
green_deadline = { day = 4, time = "12:00" }
review_deadline = { day = 2, time = "24:00" }
[cells.roles]
sprint_planning_manager = "kim"
[[cells.rotations]]
role = "firefighter"
people = ["kim"]
[[cells.rotations]]
role = "firefighter"
people = ["lou", "kim"]
days = [2, 4]

[[people]]
id = "kim"
name = "Kim"
jira = "acc-kim"
mattermost = "kim"
discourse = "kim-forum"
timezone = "Asia/Tokyo"
newcomer = true
[[people.time_off]]
first = 2026-12-24
last = 2027-01-02
[[people]]
id = "lou"
name = "Lou"
"""

KIM = Person(
    id="kim",
    name="Kim",
    jira="acc-kim",
    mattermost="kim",
    discourse="kim-forum",
    timezone="Asia/Tokyo",
    newcomer=True,
    time_off=((date(2026, 12, 24), date(2027, 1, 2)),),
)
LOU = Person(id="lou", name="Lou")

SERENITY, FALCON = team_from(Config.model_validate(tomllib.loads(TWO_CELLS))).cells


def test_people_bring_all_that_is_known_of_them() -> None:
    assert team_from(Config.model_validate(tomllib.loads(TWO_CELLS))).members == (KIM, LOU)


def test_a_cell_brings_what_it_says() -> None:
    assert (FALCON.name, FALCON.projects, FALCON.board) == ("Falcon", ("FAL",), 7)
    assert (FALCON.stretch_goals, FALCON.channel) == ("If time is left", "falcon")
    assert FALCON.roles == {"sprint_planning_manager": KIM}


def test_a_cell_that_says_little_has_defaults() -> None:
    assert (SERENITY.projects, SERENITY.board, SERENITY.channel) == (("SE", "OSE"), None, None)
    assert (SERENITY.stretch_goals, SERENITY.roles, SERENITY.duties) == ("Stretch Goals", {}, ())


def test_a_rotation_without_days_lasts_the_cells_whole_sprint() -> None:
    assert FALCON.duties == (Duty("firefighter", (KIM,), 0, 6), Duty("firefighter", (LOU, KIM), 2, 4))
    assert cell().duties == (Duty("firefighter", (FAY, FINN), 0, 13),)


def test_a_cell_overrides_single_keys_of_the_calendar() -> None:
    own, common = FALCON.calendar, SERENITY.calendar

    assert (own.zone, common.zone) == (ZoneInfo("America/New_York"), ZoneInfo("Europe/Paris"))
    assert (own.length_days, common.length_days) == (7, 14)
    assert (own.green_deadline, common.green_deadline) == (Deadline(4, 720), Deadline(10, 1110))
    assert own.anchor == common.anchor == datetime(2026, 11, 2, 9)  # noqa: DTZ001 - local time


@pytest.mark.parametrize(
    ("day", "is_off"),
    [
        pytest.param(date(2026, 11, 10), False, id="an ordinary Tuesday"),
        pytest.param(date(2026, 11, 11), True, id="a French holiday"),
        pytest.param(date(2027, 7, 14), True, id="one of another year"),
        pytest.param(date(2026, 12, 31), True, id="a single day"),
        pytest.param(date(2027, 12, 31), False, id="the same day a year later"),
    ],
)
def test_holidays_hold_for_every_cell(day: date, is_off: bool) -> None:
    assert [one.calendar.is_working_day(day) for one in (SERENITY, FALCON)] == [not is_off] * 2


def test_statuses_are_known_whatever_their_capitals() -> None:
    assert SERENITY.statuses.backlog == {"icebox", "to do"}
    assert "need review" in SERENITY.statuses.need_review
    assert "deployed & delivered" in FALCON.statuses.finished


def test_an_empty_calendar_can_be_read_and_has_the_usual_deadlines() -> None:
    window = calendar_from(CalendarConfig()).sprint_at(wall("2026-11-05 12:00"))

    assert (window.end - window.start).days == 14
    assert window.day_of(window.green_deadline) == 12


def test_an_empty_configuration_is_a_team_of_nobody() -> None:
    nobody = team_from(Config())

    assert (nobody.cells, nobody.members) == ((), ())


def test_the_builders_people_are_those_of_the_configuration() -> None:
    assert {ANN, FAY, FINN, SAM} <= set(team().members)


HOMES = """
[calendar]
anchor = 2026-11-02T09:00:00
[messages]
pings_a_day = 3
quiet_from = "21:30"
quiet_until = "07:00"
[[cells]]
name = "Serenity"
projects = ["SE"]
repositories = ["Acme/Tool"]
forum_categories = [7]
contribution_projects = ["CON"]
[[cells]]
name = "Falcon"
projects = ["FAL"]
[[people]]
id = "kim"
name = "Kim"
cell = "Falcon"
github = "Kim-Codes"
gitlab = "kim-lab"
[[people]]
id = "lou"
name = "Lou"
"""


def test_a_cell_knows_its_members_and_the_places_it_looks_after() -> None:
    serenity, falcon = team_from(Config.model_validate(tomllib.loads(HOMES))).cells

    assert (serenity.members, falcon.members) == (
        (),
        (Person(id="kim", name="Kim", github="Kim-Codes", gitlab="kim-lab"),),
    )
    assert serenity.repositories == {"acme/tool"}
    assert serenity.forum_categories == {7}
    assert serenity.contribution_projects == {"CON"}


@pytest.mark.parametrize(
    ("document", "manners"),
    [
        pytest.param(HOMES, Attention(3, time(21, 30), time(7)), id="as they are set"),
        pytest.param("", Attention(5, time(20), time(8)), id="the usual ones"),
    ],
)
def test_the_manners(document: str, manners: Attention) -> None:
    assert attention_from(Config.model_validate(tomllib.loads(document)).messages) == manners
