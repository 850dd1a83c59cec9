"""A stored delivery is decided on once more: what is stored of it stays as it was."""

from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from service.current import Current
from service.errors import Rejected
from service.forgetting import ERASED
from service.jira_shapes import FieldMap
from service.ledger import Delivery, Ledger, Site
from service.queue import Queue
from service.settings import Settings
from service.steering import Actor, Steering
from service.webhooks.intake import Answer, Intake
from service.webhooks.sources import Posted
from tests import builders
from tests.conftest import SetClock
from tests.webhooks.payloads import FIELDS, body, issue_updated, pull_request
from tests.webhooks.test_answers import signature

SECRET = "a secret to everybody"
WATCHED = '\n[[cells]]\nname = "Outside"\nprojects = ["OUT"]\nrepositories = ["example-org/poll"]\n'


@pytest.fixture
async def ledger(redis: Redis) -> Ledger:
    """What is stored, with Jira's fields known."""
    ledger = Ledger(redis)
    await ledger.keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    return ledger


@pytest.fixture
def intake(redis: Redis, ledger: Ledger, clock: SetClock) -> Intake:
    return intake_of(redis, clock)


def intake_of(redis: Redis, clock: SetClock) -> Intake:
    """One that starts now, and knows nothing yet."""
    settings = Settings(
        config=builders.config(WATCHED),
        jira_url="https://jira.example",
        jira_webhook_secret=SECRET,
        github_webhook_secret=SECRET,
    )
    current = Current(Ledger(redis), builders.book(WATCHED))
    return Intake(settings, builders.team(WATCHED), current, Queue(redis, clock))


async def take(intake: Intake, clock: SetClock, payload: Any, name: str = "d-1", source: str = "jira") -> Answer:
    data = body(payload)
    headers = {
        "x-hub-signature": signature(data, SECRET),
        "x-hub-signature-256": signature(data, SECRET),
        "x-atlassian-webhook-identifier": name,
        "x-github-delivery": name,
        "x-github-event": "pull_request",
    }
    return await intake.take(source, Posted(headers=headers, token=None, body=data, received=clock()))


async def stored(ledger: Ledger, name: str = "d-1") -> tuple[Delivery, bytes]:
    found = await ledger.delivery(name)
    assert found is not None
    return found


async def everything_of(redis: Redis) -> dict[bytes, Any]:
    """What is stored of deliveries themselves."""
    names = [*await redis.keys("crafty:seen:*"), *await redis.keys("crafty:delivery:*")]
    kept: dict[bytes, Any] = {key: await redis.get(key) for key in sorted(names)}
    kept[b"places"] = await redis.zrange("crafty:deliveries", 0, -1, withscores=True)
    kept[b"last"] = await redis.hgetall("crafty:last-delivery")  # type: ignore[misc]
    return kept


async def test_it_is_decided_again_now_and_told_under_a_stage_of_its_own(
    intake: Intake, ledger: Ledger, clock: SetClock
) -> None:
    first = await take(intake, clock, issue_updated())
    later = clock.advance(hours=30)

    again = await intake.replay(*await stored(ledger))

    assert again.delivery == "d-1"
    assert again.decisions == first.decisions
    newest, oldest = await ledger.timeline("SE-1")
    assert (newest.stage, newest.at, newest.delivery, newest.event) == ("replay", later, "d-1", "jira:issue_updated")
    assert (oldest.stage, oldest.at) == ("webhook", later - timedelta(hours=30))
    assert [one.rule for one in newest.decisions] == [one.rule for one in oldest.decisions]


async def test_nothing_that_is_stored_of_the_delivery_changes(
    intake: Intake, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await take(intake, clock, issue_updated())
    before = await everything_of(redis)
    clock.advance(days=2)

    await intake.replay(*await stored(ledger))

    assert await everything_of(redis) == before
    assert (await take(intake, clock, issue_updated())).duplicate


async def test_it_counts_as_decided_and_not_as_delivered(intake: Intake, ledger: Ledger, clock: SetClock) -> None:
    await take(intake, clock, issue_updated())

    await intake.replay(*await stored(ledger))

    counts = await ledger.counts(clock())
    assert (counts["missing-reviewer act"], counts["source jira"]) == (2, 1)


async def test_looks_follow_as_they_do_from_a_delivery(
    intake: Intake, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await take(intake, clock, issue_updated())
    await redis.delete("crafty:work:look:missing-reviewer:SE-1", "crafty:due")
    now = clock.advance(hours=1)

    await intake.replay(*await stored(ledger))

    standing = (await ledger.standings([("missing-reviewer", "on")], "SE-1"))["missing-reviewer"]
    assert standing.next_look == now + timedelta(minutes=2)


async def test_the_rules_count_as_admins_have_set_them_by_now(
    intake: Intake, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    await take(intake, clock, issue_updated())
    office = Steering(redis, clock, Current(ledger, builders.book(WATCHED)), ("Serenity",))
    await office.tune("missing-reviewer", "", {"mode": "off"}, Actor("sam", "cli"))

    again = await intake.replay(*await stored(ledger))

    assert {"rule": "missing-reviewer", "outcome": "pass", "mode": "off"} in (again.decisions or [])


async def test_a_process_that_has_just_started_knows_the_fields_first(
    intake: Intake, ledger: Ledger, redis: Redis, clock: SetClock
) -> None:
    first = await take(intake, clock, issue_updated())

    again = await intake_of(redis, clock).replay(*await stored(ledger))

    assert again.decisions == first.decisions


async def test_a_delivery_of_a_code_host_is_known_by_the_headers_that_were_kept(
    intake: Intake, ledger: Ledger, clock: SetClock
) -> None:
    first = await take(intake, clock, pull_request(), source="github")

    again = await intake.replay(*await stored(ledger))

    assert {"rule": "community-ack", "outcome": "act"} in (first.decisions or [])
    assert again.decisions == first.decisions


async def test_of_what_concerned_nobody_there_is_nothing_to_decide_on(
    intake: Intake, ledger: Ledger, clock: SetClock
) -> None:
    await take(intake, clock, issue_updated(webhookEvent="project_created"))

    with pytest.raises(Rejected, match="nothing of this delivery was kept") as refusal:
        await intake.replay(*await stored(ledger))
    assert refusal.value.status == 410


@pytest.mark.parametrize(
    ("note", "why"), [(ERASED, ERASED), (None, "no rule was concerned with it, or it was too large")]
)
async def test_what_is_not_kept_says_why(intake: Intake, clock: SetClock, note: str | None, why: str) -> None:
    gone = Delivery(id="d-1", source="jira", event="x", subject="SE-1", received=clock(), note=note)
    with pytest.raises(Rejected) as refusal:
        await intake.replay(gone, b"")
    assert refusal.value.detail == f"nothing of this delivery was kept: {why}"
