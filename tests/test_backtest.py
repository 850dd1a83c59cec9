"""Stored deliveries decided on with other settings: what differs is what a service with these settings would do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from service.current import Current
from service.engine import Decision, Rulebook
from service.facts import Team
from service.jira_shapes import FieldMap
from service.ledger import Delivery, Ledger, Site
from service.queue import Queue
from service.rehearsal import BackTest, backtest, set_otherwise
from service.settings import Settings
from service.steering import Actor, Steering
from service.tuning import CannotTuneError
from service.webhooks.intake import Intake
from service.webhooks.sources import Posted, Sources
from tests import builders
from tests.conftest import SetClock
from tests.webhooks.payloads import (
    ANN,
    FIELDS,
    NEXT,
    RUNNING,
    SAM,
    body,
    comment_created,
    issue_fields,
    issue_updated,
    post,
    pull_request,
    sprint_event,
)
from tests.webhooks.test_answers import signature

SECRET = "a secret to everybody"
SITE = Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",), discourse_bot="crafty")
WATCHED = '\n[[cells]]\nname = "Outside"\nprojects = ["OUT"]\nrepositories = ["example-org/poll"]\n'
TEAM: Team = builders.team(WATCHED)
BOOK: Rulebook = builders.book(WATCHED)
SETTINGS = Settings(
    config=builders.config(WATCHED),
    jira_url="https://jira.example",
    jira_webhook_secret=SecretStr(SECRET),
    github_webhook_secret=SecretStr(SECRET),
    discourse_webhook_secret=SecretStr(SECRET),
)
MONDAY = datetime(2026, 11, 9, 9, 0, tzinfo=UTC)
CLOSED = RUNNING | {"state": "closed"}


def ticket(number: int, **fields: Any) -> dict[str, Any]:
    """A change of ticket SE-`number`."""
    issue = {"id": str(number), "key": f"SE-{number}", "fields": issue_fields(**fields)}
    return issue_updated(issue=issue)


def unready(number: int, **fields: Any) -> dict[str, Any]:
    """A change of a ticket of the next sprint that nobody reviews."""
    return ticket(number, customfield_10020=[CLOSED, NEXT], **fields)


def delivery(payload: Any, at: datetime = MONDAY, name: str = "d-1", **headers: str) -> tuple[Delivery, bytes]:
    """The same as it is stored."""
    source = "github" if "pull_request" in payload else "jira"
    record = Delivery(id=name, source=source, event="any", subject=None, received=at, headers=headers)
    return record, body(payload)


async def stream(*found: tuple[Delivery, bytes]) -> AsyncIterator[tuple[Delivery, bytes]]:
    for one in found:
        yield one


def ignored(_: int) -> None:
    """Nobody follows the progress."""


def otherwise(cell: str = "", before: Rulebook = BOOK, **wishes: dict[str, Any]) -> Rulebook:
    """The usual rules with these wishes, by the rules' names."""
    return set_otherwise(before, {}, TEAM, {name.replace("_", "-"): wish for name, wish in wishes.items()}, cell)


async def compared(*found: tuple[Delivery, bytes], after: Rulebook, before: Rulebook = BOOK) -> BackTest:
    return await backtest(stream(*found), Sources(SETTINGS, TEAM), TEAM, SITE, before, after, ignored)


def told(result: BackTest) -> list[str]:
    """Each difference in one line."""
    return sorted(f"{one.what} {one.rule} {one.kind} {one.target} {one.person}" for one in result.shifts)


# What differs


async def test_an_action_that_comes_earlier_appears() -> None:
    at = datetime(2026, 11, 12, 9, 0, tzinfo=UTC)  # 38 working hours before the deadline
    result = await compared(
        delivery(unready(1, parent=None), at), after=otherwise(green_ticket={"params": {"reminder_lead": "48h"}})
    )
    assert told(result) == ["appears green-ticket comment SE-1 Sam", "changes green-ticket recheck SE-1 Ann"]


async def test_a_rule_that_is_turned_off_has_its_actions_vanish() -> None:
    result = await compared(delivery(ticket(1)), after=otherwise(missing_reviewer={"mode": "off"}))
    assert {one.what for one in result.shifts} == {"vanishes"}
    assert result.by_rule() == {"missing-reviewer": Counter(vanishes=len(result.shifts))}


async def test_a_rule_that_is_rehearsed_does_nothing() -> None:
    rehearsed = otherwise(missing_reviewer={"mode": "dry-run"})
    gone = await compared(delivery(ticket(1)), after=rehearsed)
    back = await compared(delivery(ticket(1)), before=rehearsed, after=BOOK)
    assert {one.what for one in gone.shifts} == {"vanishes"}
    assert {one.what for one in back.shifts} == {"appears"}


async def test_the_same_settings_make_no_difference() -> None:
    assert (await compared(delivery(ticket(1)), after=otherwise())).shifts == ()


async def test_a_settle_time_decides_nothing() -> None:
    after = otherwise(missing_reviewer={"settle": "10m"})
    assert (await compared(delivery(ticket(1)), after=after)).shifts == ()


async def test_what_is_set_in_one_cell_counts_there_alone() -> None:
    for cell, differs in (("Serenity", True), ("Outside", False)):
        result = await compared(delivery(ticket(1)), after=otherwise(cell, missing_reviewer={"mode": "off"}))
        assert bool(result.shifts) is differs


async def test_an_action_counts_once_however_many_deliveries_want_it() -> None:
    many = [delivery(ticket(1), MONDAY + timedelta(minutes=n), f"d-{n}") for n in range(3)]
    result = await compared(*many, after=otherwise(missing_reviewer={"mode": "off"}))
    assert [one.delivery for one in result.shifts if one.kind == "comment"] == ["d-0"]


async def test_counts_name_whom_an_action_addresses() -> None:
    result = await compared(
        delivery(ticket(1, assignee=ANN)),
        delivery(ticket(2, assignee=SAM)),
        after=otherwise(missing_reviewer={"mode": "off"}),
    )
    comments = {one.target: one.person for one in result.shifts if one.kind == "comment"}
    assert comments == {"SE-1": "Ann", "SE-2": "Sam"}
    assert set(result.by_person()) == {"Ann", "Sam", "Fay", "Finn"}


async def test_deliveries_that_tell_nothing_are_counted() -> None:
    record, _ = delivery(ticket(1))
    result = await compared(
        (record, b""), (record, b"\xff"), (record, b"no json"), after=otherwise(answers={"mode": "off"})
    )
    assert (result.deliveries, result.unconcerned, result.unread) == (3, 1, 2)


async def test_progress_is_told_for_each_delivery() -> None:
    done: list[int] = []
    found = stream(*(delivery(ticket(n), name=f"d-{n}") for n in range(3)))
    await backtest(found, Sources(SETTINGS, TEAM), TEAM, SITE, BOOK, BOOK, done.append)
    assert done == [1, 2, 3]


@pytest.mark.parametrize(
    ("wishes", "cell", "words"),
    [
        pytest.param({"green-tickets": {}}, "", "green-tickets: is not a rule; did you mean green-ticket", id="rule"),
        pytest.param({"green-ticket": {}}, "Serenty", "Serenty is not a cell; did you mean Serenity", id="cell"),
        pytest.param({"green-ticket": {"params": {"lead": "2h"}}}, "", "params.lead", id="parameter"),
        pytest.param({"green-ticket": {"mode": "loud"}}, "", "mode", id="mode"),
    ],
)
def test_what_can_not_be_set_is_named(wishes: dict[str, Any], cell: str, words: str) -> None:
    with pytest.raises(CannotTuneError, match=words):
        set_otherwise(BOOK, {}, TEAM, wishes, cell)


def test_what_admins_changed_stays_changed() -> None:
    after = otherwise("Serenity", missing_reviewer={"mode": "off"})
    assert after.setting("missing-reviewer", "Serenity").mode == "off"
    assert after.setting("missing-reviewer", "Outside").mode == "on"


# Against the service itself


def deliveries() -> Iterator[tuple[str, dict[str, str], Any]]:
    """What comes in over two weeks: source, headers, payload."""
    for number in range(40):
        yield "jira", {}, ticket(number, assignee=ANN if number % 2 else SAM)
        yield "jira", {}, unready(number, assignee=None if number % 3 else ANN)
        yield "jira", {}, comment_created("[~accountid:acc-bot] why", timestamp=number)
        yield "github", {"x-github-event": "pull_request"}, pull_request(number=number)
        yield "discourse", {"x-discourse-event": "post_created", "x-discourse-event-type": "post"}, post(id=number)
    yield "jira", {}, sprint_event("sprint_closed", 12)
    yield "jira", {}, issue_updated(webhookEvent="project_created")


def spaced(count: int) -> Iterator[datetime]:
    """Moments over the two weeks of a sprint."""
    return (MONDAY - timedelta(days=7) + timedelta(days=14) * n / count for n in range(count))


async def serve(redis: Redis, clock: SetClock, wishes: dict[str, dict[str, Any]]) -> list[tuple[Delivery, bytes]]:
    """A service that was started with these settings takes all deliveries; what it then has stored of them."""
    ledger = Ledger(redis)
    await redis.flushall()
    await ledger.keep_site(SITE)
    current = Current(ledger, BOOK)
    for name, wish in wishes.items():
        await Steering(redis, clock, current, ("Serenity", "Outside")).tune(name, "", wish, Actor("sam", "cli"))
    intake = Intake(SETTINGS, TEAM, current, Queue(redis, clock))
    incoming = list(deliveries())
    for number, (moment, (source, headers, payload)) in enumerate(zip(spaced(len(incoming)), incoming, strict=True)):
        clock.now = moment
        await intake.take(source, posted(payload, moment, f"d-{number}", headers))
    return [one async for one in ledger.deliveries_since(MONDAY - timedelta(days=8))]


def posted(payload: Any, at: datetime, name: str, headers: dict[str, str]) -> Posted:
    data = body(payload)
    proofs = dict.fromkeys(
        ("x-hub-signature", "x-hub-signature-256", "x-discourse-event-signature"), signature(data, SECRET)
    )
    names = dict.fromkeys(("x-atlassian-webhook-identifier", "x-github-delivery", "x-discourse-event-id"), name)
    return Posted(headers={**headers, **proofs, **names}, token=None, body=data, received=at)


async def decided(redis: Redis) -> list[Decision]:
    """Every decision that was stored with a delivery, in order."""
    entries = await Ledger(redis).timeline(limit=10_000)
    return [one for entry in reversed(entries) if entry.stage == "webhook" for one in entry.decisions]


def wanted(decisions: list[Decision]) -> dict[str, str]:
    """What rules that are on want, by the actions' keys: every content that it had."""
    contents: dict[str, str] = {}
    for one in decisions:
        for action in one.actions:
            if one.mode == "on":
                key = action.key(one.rule, one.subject)
                contents[key] = contents.get(key, "") + repr(action)
    return contents


@pytest.mark.parametrize(
    "wishes",
    [
        pytest.param({"green-ticket": {"params": {"reminder_lead": "96h"}}}, id="a longer lead"),
        pytest.param({"missing-reviewer": {"mode": "off"}}, id="a rule that is off"),
        pytest.param({"community-ack": {"mode": "dry-run"}, "answers": {"mode": "off"}}, id="two rules"),
        pytest.param({"missing-reviewer": {"params": {"patience": "1h"}}}, id="less patience"),
    ],
)
async def test_it_tells_what_a_service_with_these_settings_would_have_decided(
    redis: Redis, clock: SetClock, wishes: dict[str, dict[str, Any]]
) -> None:
    await serve(redis, clock, wishes)
    then = wanted(await decided(redis))
    kept = await serve(redis, clock, {})
    now = wanted(await decided(redis))
    after = set_otherwise(BOOK, {}, TEAM, wishes, "")

    result = await backtest(stream(*kept), Sources(SETTINGS, TEAM), TEAM, SITE, BOOK, after, ignored)

    expected = Counter(
        {
            "appears": len(then.keys() - now.keys()),
            "vanishes": len(now.keys() - then.keys()),
            "changes": sum(then[key] != now[key] for key in then.keys() & now.keys()),
        }
    )
    assert Counter(one.what for one in result.shifts) == +expected
    assert expected.total() > 0
    assert (result.deliveries, result.unconcerned, result.unread) == (len(kept), 1, 0)


# How long it takes


async def test_it_keeps_pace() -> None:
    """`make bench ARGS=--backtest` measures ten thousand that are stored: 30 seconds and 300 MB are promised."""

    async def many() -> AsyncIterator[tuple[Delivery, bytes]]:
        for number in range(1_500):
            yield delivery(unready(number % 200), MONDAY + timedelta(minutes=number), f"d-{number}")

    after = otherwise(green_ticket={"params": {"reminder_lead": "48h"}})
    started = time.process_time()
    result = await backtest(many(), Sources(SETTINGS, TEAM), TEAM, SITE, BOOK, after, ignored)

    assert result.deliveries == 1_500
    assert time.process_time() - started < 12
