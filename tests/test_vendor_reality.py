"""The first contact with a company's real Jira: an address of its own, and fields that nobody has prepared for us."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import respx
from pydantic import SecretStr

from service.config import Config
from service.connections import connected
from service.doctor._jira import fields
from service.events import TicketChanged
from service.findings import State
from service.ledger import Site
from service.roster import team_from
from service.settings import Settings
from service.webhooks.sources import Posted, Sources

SITE = "https://team.example"
DOOR = "https://api.atlassian.com/ex/jira/11223344-a1b2"
TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
GH = "com.pyxis.greenhopper.jira:"


def settings_with(jira_fields: dict[str, str] | None = None, **changes: Any) -> Settings:
    usual: dict[str, Any] = {
        "config": Config.model_validate({"jira": {"fields": jira_fields or {}}}),
        "jira_url": SITE,
        "jira_email": "crafty@team.example",
        "jira_token": SecretStr("t0ken"),
    }
    return Settings(**{**usual, **changes})


# --- Addresses ------------------------------------------------------------------------------------------------------


async def test_with_a_scoped_token_jira_is_asked_at_its_door_and_every_link_leads_to_the_site() -> None:
    settings = settings_with(jira_api_url=DOOR)
    issue = {"key": "SE-1", "fields": {"summary": "Mend the login page"}}
    connections = connected(settings)
    with respx.mock(base_url=DOOR) as server:
        server.get("/rest/api/3/issue/SE-1").respond(json=issue)
        assert connections.jira
        read = await connections.jira.ticket("SE-1")
    await connections.aclose()
    body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": issue}).encode()
    posted = Posted(headers={}, token=None, body=body, received=datetime(2026, 11, 3, 9, tzinfo=UTC))
    _, told = Sources(settings, team_from(settings.config)).parsed("jira", posted, Site())
    assert isinstance(told, TicketChanged)
    assert read.url == told.ticket.url == f"{SITE}/browse/SE-1"


# --- Fields ----------------------------------------------------------------------------------------------------------


def field(number: int, name: str, kind: str, holds: str, *, several: bool = False, **more: Any) -> dict[str, Any]:
    """One entry of a site's list, as Jira tells it; kind: as its maker calls it."""
    schema = {"type": "array", "items": holds} if several else {"type": holds}
    told = {"id": f"customfield_{number}", "key": f"customfield_{number}", "name": name, "custom": True}
    return {**told, "schema": {**schema, "custom": kind, "customId": number}, **more}


def system(name: str, holds: str) -> dict[str, Any]:
    told = {"id": name, "key": name, "name": name.title(), "custom": False}
    return {**told, "schema": {"type": holds, "system": name}}


SYSTEM = (
    system("summary", "string"),
    system("assignee", "user"),
    system("timespent", "number"),
    {"id": "issuekey", "key": "issuekey", "name": "Key", "custom": False},
    field(10015, "Team", "com.atlassian.jira.plugin.system.customfieldtypes:atlassian-team", "team"),
)
SPRINT = field(10020, "Sprint", f"{GH}gh-sprint", "json", several=True)
EPIC_LINK = field(10014, "Epic Link", f"{GH}gh-epic-link", "any")
POINTS = field(10030, "Story Points", f"{TYPES}float", "number")
TEAM_POINTS = field(10016, "Story point estimate", f"{GH}jsw-story-points", "number")
FLAGGED = field(10021, "Flagged", f"{TYPES}multicheckboxes", "option", several=True)
REVIEWER = field(10040, "Reviewer 1", f"{TYPES}userpicker", "user")
REVIEWERS = field(10040, "Reviewer 1", f"{TYPES}multiuserpicker", "user", several=True)
COMMITTER = field(10041, "Core Committer", f"{TYPES}userpicker", "user")
WELL = (SPRINT, EPIC_LINK, POINTS, FLAGGED, REVIEWER, COMMITTER)

SPRINT_DE = field(10020, "Sprints", f"{GH}gh-sprint", "json", several=True)
EPIC_DE = field(10014, "Epos-Verknüpfung", f"{GH}gh-epic-link", "any")
POINTS_DE = field(10030, "Story-Punkte", f"{TYPES}float", "number")
FLAGGED_DE = field(10021, "Gekennzeichnet", f"{TYPES}multicheckboxes", "option", several=True)
REVIEWER_DE = field(10040, "Prüfer", f"{TYPES}userpicker", "user")
COMMITTER_DE = field(10041, "Hauptentwickler", f"{TYPES}userpicker", "user")
GERMAN = (SPRINT_DE, EPIC_DE, POINTS_DE, FLAGGED_DE, REVIEWER_DE, COMMITTER_DE)
MADE_IN_ENGLISH = tuple({**one, "untranslatedName": english["name"]} for one, english in zip(GERMAN, WELL, strict=True))

Trouble = tuple[State, str, str]
"""The state, the fact, and words that the finding has."""

USERS = "customfield_10040 “Prüfer”, customfield_10041 “Hauptentwickler”"


@pytest.mark.parametrize("kind", ["cloud", "datacenter"])
@pytest.mark.parametrize(
    ("known", "configured", "troubles"),
    [
        pytest.param(WELL, {}, [], id="all as expected"),
        pytest.param(
            (SPRINT, EPIC_LINK, TEAM_POINTS, FLAGGED, REVIEWERS, COMMITTER), {}, [], id="of a team's own kinds"
        ),
        pytest.param(
            GERMAN,
            {},
            [
                (
                    "wrong",
                    "story_points",
                    "no field is named “Story Points”; give the id of the right one: customfield_10030",
                ),
                ("wrong", "reviewer", f"give the id of the right one: {USERS}"),
                ("doubtful", "core_committer", f"give the id of the right one: {USERS}"),
                ("doubtful", "flagged", "give the id of the right one: customfield_10021 “Gekennzeichnet”"),
            ],
            id="translated",
        ),
        pytest.param(MADE_IN_ENGLISH, {}, [], id="translated, with the names that they were made with"),
        pytest.param(
            GERMAN,
            {
                "story_points": "customfield_10030",
                "reviewer": "customfield_10040",
                "core_committer": "customfield_10041",
                "flagged": "customfield_10021",
            },
            [],
            id="translated, and configured by id",
        ),
        pytest.param(
            GERMAN,
            {
                "story_points": "Story-Punkte",
                "reviewer": "prüfer",
                "core_committer": "Hauptentwickler",
                "flagged": "Gekennzeichnet",
            },
            [],
            id="translated, and configured by name",
        ),
        pytest.param(
            (*WELL, {**POINTS, "id": "customfield_10031"}, {**SPRINT, "id": "customfield_10099"}),
            {},
            [
                (
                    "wrong",
                    "story_points",
                    "the right one: customfield_10030 “Story Points”, customfield_10031 “Story Points”",
                ),
                ("wrong", "sprint", "2 fields may be “Sprint”; give the id of the right one"),
            ],
            id="doubled",
        ),
        pytest.param(
            (*WELL, {**POINTS, "id": "customfield_10031"}),
            {"story_points": "customfield_10031"},
            [],
            id="doubled, and configured by id",
        ),
        pytest.param((*WELL, TEAM_POINTS), {}, [], id="points of both kinds of projects"),
        pytest.param(
            (),
            {},
            [
                ("wrong", "story_points", "no field is named “Story Points”; make one in Jira, or give its id"),
                ("wrong", "reviewer", "no field is named “Reviewer 1”; make one in Jira, or give its id"),
                ("doubtful", "core_committer", "make one in Jira"),
                ("wrong", "sprint", "no field is named “Sprint”"),
                ("doubtful", "flagged", "make one in Jira"),
            ],
            id="missing, in a Jira without boards",
        ),
        pytest.param(
            (SPRINT, EPIC_LINK, POINTS, FLAGGED, field(10040, "Reviewer 1", f"{TYPES}textfield", "string"), COMMITTER),
            {},
            [
                (
                    "wrong",
                    "reviewer",
                    "“Reviewer 1” is a field of another kind; give the id of the right one: customfield_10041",
                )
            ],
            id="of another type",
        ),
    ],
)
async def test_the_doctor_tells_which_fields_of_a_strange_jira_it_can_t_tell(
    kind: Any, known: tuple[dict[str, Any], ...], configured: dict[str, str], troubles: list[Trouble]
) -> None:
    settings = settings_with(configured, jira_kind=kind)
    connections = connected(settings)
    with respx.mock(base_url=SITE) as server:
        server.get(path__regex=r"^/rest/api/[23]/field$").respond(json=[*SYSTEM, *known])
        assert connections.jira
        found = await fields(connections.jira, settings)
    await connections.aclose()
    told = sorted((one.state, one.about, one.what) for one in found if one.state != "fine")
    lacks_epics = kind == "datacenter" and not known
    expected = sorted([*troubles, *([("doubtful", "epic_link", "make one in Jira")] if lacks_epics else [])])
    assert [one[:2] for one in told] == [one[:2] for one in expected]
    assert all(words in what for (*_, what), (*_, words) in zip(told, expected, strict=True))
