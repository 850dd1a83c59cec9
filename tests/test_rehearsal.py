"""What the rules would decide on a payload, without anything being done or stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from service.current import Current
from service.engine import Decision
from service.errors import NotFound, Rejected, TryLater
from service.facts import Ticket
from service.gather import Gatherer
from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.rehearsal import Configured, Rehearsal, Simulated, fields_told
from service.settings import Settings
from service.webhooks.sources import Sources
from tests import builders
from tests.conftest import SetClock
from tests.webhooks.payloads import (
    FIELDS,
    NEXT,
    RUNNING,
    body,
    comment_created,
    issue_fields,
    issue_updated,
    pull_request,
)

NOON = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
SITE = Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",))
WATCHED = '\n[[cells]]\nname = "Outside"\nprojects = ["OUT"]\nrepositories = ["example-org/poll"]\n'
REAL = Path(__file__).parents[2] / "shared" / "fixtures" / "jira"
NAMES = {
    "story_points": "Story Points",
    "reviewer": "Reviewer 1",
    "core_committer": "Core Committer",
    "sprint": "Sprint",
    "epic_link": "Epic Link",
    "flagged": "Flagged",
}


def rehearsal(site: Site = SITE, rules: str = "", **others: Any) -> Rehearsal:
    """One that knows what the configuration says, and nothing else unless it is given."""
    extra = WATCHED + rules
    sources = Sources(Settings(config=builders.config(extra), jira_url="https://jira.example"), builders.team(extra))
    usual: dict[str, Any] = {
        "current": Configured(builders.book(extra), site),
        "ledger": None,
        "gatherer": None,
        "names": NAMES,
        "clock": lambda: NOON,
    }
    return Rehearsal(sources=sources, team=builders.team(extra), **{**usual, **others})


async def simulated(
    payload: Any,
    by: Rehearsal | None = None,
    source: str = "jira",
    now: datetime | None = NOON,
    *,
    fetch: bool = False,
    **headers: str,
) -> Simulated:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await (by or rehearsal()).simulate(source, named, body(payload), now, fetch=fetch)


def of(rule: str, found: Simulated) -> Decision:
    (decision,) = [one for one in found.decisions if one.rule == rule]
    return decision


class Reader:
    """A Jira that knows one ticket, or fails."""

    def __init__(self, ticket: Ticket | Exception) -> None:
        self.known = ticket
        self.fields = FieldMap()

    async def ticket(self, key: str) -> Ticket:
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    async def sprints(self, board: int) -> tuple[Any, ...]:
        return (builders.RUNNING, builders.NEXT, builders.STRETCH)


def reading(redis: Redis, ticket: Ticket | Exception) -> Rehearsal:
    """A rehearsal that can read that ticket from Jira."""
    ledger, team = Ledger(redis), builders.team(WATCHED)
    gatherer = Gatherer(Reader(ticket), {}, team, ledger)  # type: ignore[arg-type] # it has what is called here
    return rehearsal(ledger=ledger, gatherer=gatherer, current=Current(ledger, builders.book(WATCHED)))


# What it says


async def test_each_rule_that_the_event_concerns_decides_as_its_last_look_would() -> None:
    found = await simulated(issue_updated())

    assert found.event == {
        "name": "jira:issue_updated",
        "subject": "SE-1",
        "at": "2026-11-03T09:00:00+00:00",
        "actor": "Ann",
    }
    assert {
        "answers": "wait",
        "green-ticket": "pass",
        "missing-reviewer": "act",
        "spillover": "pass",
        "task-insertion": "wait",
    }.items() <= {one.rule: one.outcome for one in found.decisions}.items()


async def test_what_the_payload_lacks_is_not_known_yet() -> None:
    fields = {name: value for name, value in issue_fields().items() if name != FIELDS["reviewer"]}
    assert of("missing-reviewer", await simulated(issue_updated(fields))).reason == (
        "not known yet: the ticket's reviewer"
    )


@pytest.mark.parametrize(
    ("now", "outcome", "words"),
    [
        pytest.param(datetime(2026, 11, 12, 22, 59, tzinfo=UTC), "wait", "time enough", id="a minute before the lead"),
        pytest.param(datetime(2026, 11, 12, 23, 0, tzinfo=UTC), "act", "misses reviewer", id="at the lead"),
        pytest.param(datetime(2026, 11, 14, 12, 0, tzinfo=UTC), "act", "deadline is over", id="after the deadline"),
        pytest.param(None, "wait", "time enough", id="the event's own moment"),
    ],
)
async def test_the_moment_counts(now: datetime | None, outcome: str, words: str) -> None:
    fields = issue_fields(customfield_10020=[RUNNING | {"state": "closed"}, NEXT], parent={"key": "SE-9"})
    decision = of("green-ticket", await simulated(issue_updated(fields), now=now))
    assert decision.outcome == outcome
    assert words in decision.reason


async def test_headers_count_in_any_case_and_no_signature_is_needed() -> None:
    found = await rehearsal().simulate(
        "github", {"X-GitHub-Event": "pull_request"}, body(pull_request()), NOON, fetch=False
    )
    assert found.event["subject"] == "github:example-org/poll#12"
    assert of("community-ack", found).cell == "Outside"


async def test_an_event_of_no_concern_is_named_with_its_reason() -> None:
    found = await simulated(issue_updated(webhookEvent="project_created"))
    assert found.shown() == {
        "event": {"name": "project_created", "ignored": "no rule is concerned with “project_created”"},
        "decisions": [],
    }


async def test_the_bots_own_doing_is_ignored() -> None:
    found = await simulated(issue_updated(user={"accountId": "acc-bot", "displayName": "Crafty"}))
    assert found.event["ignored"] == "it is Crafty's own doing"


async def test_a_ticket_of_no_cell_concerns_no_rule() -> None:
    issue = {"id": "1", "key": "ELSE-1", "fields": issue_fields()}
    assert (await simulated(issue_updated(issue=issue))).decisions == ()


async def test_a_rule_that_is_off_says_so() -> None:
    by = rehearsal(rules='\n[rules.missing-reviewer]\nmode = "off"\n')
    decision = of("missing-reviewer", await simulated(issue_updated(), by))
    assert (decision.mode, decision.outcome, decision.reason) == ("off", "pass", "the rule is off")


async def test_each_action_is_shown_with_its_kind_and_target() -> None:
    shown = (await simulated(issue_updated())).shown()
    (decision,) = [one for one in shown["decisions"] if one["rule"] == "missing-reviewer"]
    assert [(one["kind"], one["target"]) for one in decision["actions"]][:2] == [
        ("comment", "SE-1"),
        ("notify", "@fay"),
    ]
    assert json.loads(json.dumps(shown))["event"] == shown["event"]


@pytest.mark.parametrize(
    ("source", "data", "status"),
    [
        pytest.param("jira", b"no json", 400, id="no JSON"),
        pytest.param("jira", b'{"webhookEvent": "jira:issue_updated"}', 422, id="no issue"),
        pytest.param("trello", b"{}", 404, id="no such source"),
    ],
)
async def test_what_can_not_be_read_is_refused(source: str, data: bytes, status: int) -> None:
    with pytest.raises(Rejected) as refusal:
        await rehearsal().simulate(source, {}, data, NOON, fetch=False)
    assert refusal.value.status == status


@pytest.mark.parametrize("path", sorted(REAL.glob("*.json")), ids=lambda path: path.stem)
async def test_every_real_payload_can_be_simulated(path: Path) -> None:
    data = path.read_bytes()
    site = Site(fields=fields_told(NAMES, data))
    found = await rehearsal(site).simulate("jira", {}, data, NOON, fetch=False)
    assert found.event["name"] or "ignored" in found.event


# What Crafty remembers


async def test_what_a_rule_has_said_counts(redis: Redis, clock: SetClock) -> None:
    ledger = Ledger(redis)
    await ledger.keep_site(SITE)
    by = rehearsal(ledger=ledger, current=Current(ledger, builders.book(WATCHED)))
    first = of("missing-reviewer", await simulated(issue_updated(), by))
    (comment,) = [one for one in first.actions if one.kind == "comment"]
    await redis.hset(  # type: ignore[misc]
        "crafty:case:missing-reviewer:SE-1",
        mapping={
            "rule": "missing-reviewer",
            "subject": "SE-1",
            "comment": "7",
            "occasion": comment.occasion,
            "state": comment.state,  # type: ignore[union-attr]
            "at": NOON.isoformat(),
            "turns": "0",
            "open": "1",
        },
    )

    again = of("missing-reviewer", await simulated(issue_updated(), by))

    assert (first.outcome, again.outcome) == ("act", "wait")
    assert "asks for it already" in again.reason


async def test_the_sprints_that_the_last_sweep_saw_are_known(redis: Redis) -> None:
    ledger = Ledger(redis)
    await ledger.keep_site(SITE)
    await ledger.see_sprints("Serenity", (builders.RUNNING, builders.NEXT, builders.STRETCH))
    by = rehearsal(ledger=ledger, current=Current(ledger, builders.book(WATCHED)))
    fields = issue_fields(customfield_10020=[NEXT], parent={"key": "SE-9"})

    found = of("green-ticket", await simulated(issue_updated(fields), by, now=datetime(2026, 11, 14, 12, tzinfo=UTC)))

    (comment,) = [one for one in found.actions if one.kind == "comment"]
    assert "Stretch Goals" in str(comment)


async def test_a_simulation_stores_nothing(redis: Redis) -> None:
    by = reading(redis, builders.ticket())
    await Ledger(redis).keep_site(SITE)
    before = sorted(await redis.keys("*"))

    await simulated(issue_updated(), by)

    assert sorted(await redis.keys("*")) == before


# What is fetched


async def test_what_the_payload_lacks_is_read_when_that_is_wanted(redis: Redis) -> None:
    await Ledger(redis).keep_site(SITE)
    by = reading(redis, builders.ticket(reviewer=None, status="Need Review"))
    payload = comment_created("Who looks at this?")

    alone, fetched = await simulated(payload, by), await simulated(payload, by, fetch=True)

    assert of("answers", alone).reason == "not known yet: the ticket's remarks"
    assert of("answers", fetched).reason == "nobody waits for an answer"


async def test_the_payloads_own_facts_win_over_what_is_read(redis: Redis) -> None:
    await Ledger(redis).keep_site(SITE)
    by = reading(redis, builders.ticket(reviewer=builders.BOB))
    decision = of("missing-reviewer", await simulated(issue_updated(), by, fetch=True))
    assert decision.outcome == "act"
    assert decision.facts["reviewer"] is None


@pytest.mark.parametrize(
    ("fault", "status"),
    [(NotFound("there is no SE-1"), 422), (TryLater("Jira answers 503"), 503)],
    ids=["gone", "away"],
)
async def test_what_can_not_be_fetched_is_said(redis: Redis, fault: Exception, status: int) -> None:
    await Ledger(redis).keep_site(SITE)
    with pytest.raises(Rejected, match=str(fault)) as refusal:
        await simulated(issue_updated(), reading(redis, fault), fetch=True)
    assert refusal.value.status == status


async def test_nothing_can_be_fetched_where_nothing_is_connected() -> None:
    with pytest.raises(Rejected, match="nothing to read from") as refusal:
        await simulated(issue_updated(), fetch=True)
    assert refusal.value.status == 422


# Jira's fields, as far as a payload tells


def test_an_id_in_the_configuration_counts_as_it_is() -> None:
    names = {**NAMES, "reviewer": "customfield_10031"}
    assert fields_told(names, body(issue_updated(fields={}))) == FieldMap(reviewer="customfield_10031")


@pytest.mark.parametrize(
    "sprints",
    [
        [RUNNING, NEXT],
        ["com.atlassian.greenhopper.service.sprint.Sprint@1[id=1,rapidViewId=1,state=ACTIVE,name=One,goal=]"],
    ],
    ids=["Cloud", "Data Center"],
)
def test_the_sprints_are_known_by_what_they_look_like(sprints: list[Any]) -> None:
    fields = {"customfield_1": sprints, "customfield_2": ["a"], "customfield_3": [], "customfield_4": None}
    assert fields_told(NAMES, body(issue_updated(fields))) == FieldMap(sprint="customfield_1")


def test_two_fields_that_look_like_sprints_are_not_guessed_between() -> None:
    fields = {"customfield_1": [RUNNING], "customfield_2": [NEXT]}
    assert fields_told(NAMES, body(issue_updated(fields))).sprint is None


def test_the_changelog_tells_which_field_bears_a_name() -> None:
    item = {"field": "Reviewer 1", "fieldtype": "custom", "fieldId": "customfield_7", "from": None, "to": "acc-bob"}
    payload = issue_updated(fields={"customfield_7": None}, changelog={"id": "1", "items": [item]})
    assert fields_told(NAMES, body(payload)) == FieldMap(reviewer="customfield_7")


@pytest.mark.parametrize("data", [b"no json", b"[]", b'{"issue": 3}', b'{"issue": {"fields": {}}, "changelog": 1}'])
def test_a_payload_of_another_shape_tells_nothing(data: bytes) -> None:
    assert fields_told(NAMES, data) == FieldMap()
