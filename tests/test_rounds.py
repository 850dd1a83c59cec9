"""The doctor comes by itself: what it finds is kept, and admins hear of what is newly wrong, once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from service import rounds
from service.errors import CannotAct, CraftyError, NotSignedInError, TryLater
from service.findings import Examined, Finding, fine, wrong
from service.queue import LEASE, examination
from service.rounds import EVERYTHING, HOUR, REGISTRATION
from tests.conftest import SetClock
from tests.test_effects import Killed
from tests.test_jobs import FOUND, Crafty

FIELDS = wrong("fields", "reviewer", "no field is named “Reviewer 1”", "Write the right name.")
TOKEN = wrong("tokens", "GitHub", "it ends tomorrow", "Make a new one.")
WELL = fine("fields", "Jira", "all 6 custom fields are found")
UNREGISTERED = wrong("webhooks", "Jira", "no webhook sends to Crafty", "Run `crafty register-webhooks`.")


def finding(*found: Finding) -> Callable[[], Awaitable[Sequence[Finding]]]:
    """An examination that finds this."""

    async def examine() -> Sequence[Finding]:
        return found

    return examine


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Crafty:
    made = Crafty(redis, clock, admin_channel="admins")
    await made.ledger.keep_site(FOUND)
    return made


async def examine(crafty: Crafty, *found: Finding, part: str = EVERYTHING) -> None:
    """The doctor comes at once, and finds this."""
    crafty.examinations = {**crafty.examinations, part: finding(*found)}
    await crafty.queue.want(examination(part, crafty.clock()))
    with capture_logs():
        await crafty.work_off()


def told(crafty: Crafty) -> list[str]:
    """What stands in the admins' channel."""
    assert {where for where, _, _ in crafty.chat.messages} <= {"#admins"}
    return [text for _, _, text in crafty.chat.messages]


@pytest.mark.parametrize(
    ("nights", "messages"),
    [
        pytest.param([[WELL]], 0, id="all is well"),
        pytest.param([[FIELDS]], 1, id="something is wrong"),
        pytest.param([[FIELDS, TOKEN]], 1, id="two things are, in one message"),
        pytest.param([[FIELDS], [FIELDS]], 1, id="it is still wrong"),
        pytest.param([[FIELDS], [TOKEN, FIELDS]], 2, id="one more"),
        pytest.param([[FIELDS], [WELL], [WELL]], 1, id="it is mended"),
        pytest.param([[FIELDS], [WELL], [FIELDS]], 2, id="it is wrong again after it was fine"),
    ],
)
async def test_admins_are_told_of_what_is_newly_wrong(
    crafty: Crafty, nights: list[list[Finding]], messages: int
) -> None:
    for found in nights:
        await examine(crafty, *found)
    assert len(told(crafty)) == messages


async def test_the_message_says_what_is_new_and_how_to_mend_it(crafty: Crafty) -> None:
    await examine(crafty, FIELDS)
    await examine(crafty, WELL, FIELDS, TOKEN)
    assert "tokens: GitHub: it ends tomorrow. Make a new one." in told(crafty)[1]
    assert "Reviewer 1" not in told(crafty)[1]


async def test_what_was_found_is_kept_with_its_moment(crafty: Crafty, clock: SetClock) -> None:
    await examine(crafty, FIELDS, WELL)
    clock.advance(hours=1)
    await examine(crafty, TOKEN)
    await examine(crafty, part=REGISTRATION)
    assert await crafty.ledger.examined() == {
        EVERYTHING: Examined(at=clock(), findings=(TOKEN,)),
        REGISTRATION: Examined(at=clock(), findings=()),
    }


async def test_each_part_has_its_own_memory_of_what_was_told(crafty: Crafty) -> None:
    await examine(crafty, FIELDS)
    await examine(crafty, UNREGISTERED, part=REGISTRATION)
    await examine(crafty, FIELDS)
    await examine(crafty, UNREGISTERED, part=REGISTRATION)
    assert len(told(crafty)) == 2


@pytest.mark.parametrize(
    ("now", "part", "due"),
    [
        pytest.param((3, 9, 0), EVERYTHING, (4, 3, 0), id="by day: at four in Paris"),
        pytest.param((3, 2, 59), EVERYTHING, (3, 3, 0), id="before four: the same night"),
        pytest.param((3, 3, 0), EVERYTHING, (4, 3, 0), id="at four: the next night"),
        pytest.param((3, 9, 0), REGISTRATION, (3, 10, 0), id="the registration: an hour later"),
    ],
)
async def test_it_comes_again(
    crafty: Crafty, clock: SetClock, now: tuple[int, int, int], part: str, due: tuple[int, int, int]
) -> None:
    clock.now = datetime(2026, 11, *now, tzinfo=UTC)
    await examine(crafty, part=part)
    assert await crafty.next_due() == datetime(2026, 11, *due, tzinfo=UTC)


async def test_without_a_cell_four_is_meant_in_utc(crafty: Crafty, clock: SetClock) -> None:
    crafty.team = replace(crafty.team, cells=())
    await examine(crafty)
    assert await crafty.next_due() == datetime(2026, 11, 4, 4, 0, tzinfo=UTC)


async def test_without_a_channel_the_log_and_the_console_tell_it(crafty: Crafty) -> None:
    crafty.admin_channel = None
    crafty.examinations = {EVERYTHING: finding(FIELDS)}
    await crafty.queue.want(examination(EVERYTHING, crafty.clock()))
    with capture_logs() as logs:
        await crafty.work_off()
    assert told(crafty) == []
    (line,) = [one for one in logs if one["event"] == "doctor.wrong"]
    assert (line["check"], line["about"], line["mend"]) == ("fields", "reviewer", "Write the right name.")
    assert (await crafty.ledger.examined())[EVERYTHING].wrong == (FIELDS,)


async def test_what_could_not_be_told_is_told_an_hour_later(crafty: Crafty, clock: SetClock) -> None:
    crafty.chat.faults = [TryLater("the chat is away")]
    await examine(crafty, FIELDS)
    assert (told(crafty), await crafty.next_due()) == ([], clock() + HOUR)
    assert (await crafty.ledger.examined())[EVERYTHING].wrong == (FIELDS,)
    clock.now += HOUR
    with capture_logs():
        await crafty.work_off()
    assert len(told(crafty)) == 1


async def test_a_message_whose_answer_was_lost_is_not_sent_twice(crafty: Crafty, clock: SetClock) -> None:
    crafty.chat.faults_after = [TryLater("no answer")]
    await examine(crafty, FIELDS)
    clock.now += HOUR
    with capture_logs():
        await crafty.work_off()
    assert len(told(crafty)) == 1
    assert await crafty.ledger.told_wrong(EVERYTHING) == {FIELDS.key}


async def test_a_worker_that_dies_once_it_has_told_leads_to_no_second_message(crafty: Crafty, clock: SetClock) -> None:
    crafty.chat.dies_after_posting = True
    with pytest.raises(Killed):
        await examine(crafty, FIELDS)
    clock.now += LEASE
    with capture_logs():
        await crafty.work_off()
    assert len(told(crafty)) == 1


async def test_a_chat_that_refuses_is_a_warning_and_holds_nothing_up(crafty: Crafty, clock: SetClock) -> None:
    crafty.chat.faults = [CannotAct("Mattermost: there is no such channel")]
    await examine(crafty, FIELDS)
    assert "there is no such channel" in (await crafty.ledger.warnings())["channel admins"]
    assert await crafty.next_due() == datetime(2026, 11, 4, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fault", "soonest"),
    [
        pytest.param(TryLater("Jira is away", after=120), timedelta(seconds=120), id="away"),
        pytest.param(NotSignedInError("CRAFTY_JIRA_TOKEN is refused"), timedelta(minutes=15), id="not signed in"),
        pytest.param(CannotAct("Jira refuses"), HOUR, id="refused"),
        pytest.param(ZeroDivisionError(), HOUR, id="a bug"),
    ],
)
async def test_an_examination_that_fails_tells_nothing_and_comes_back(
    crafty: Crafty, clock: SetClock, fault: Exception, soonest: timedelta
) -> None:
    async def fails() -> Sequence[Finding]:
        raise fault

    await examine(crafty, UNREGISTERED, part=REGISTRATION)
    crafty.examinations = {REGISTRATION: fails}
    await crafty.queue.want(examination(REGISTRATION, clock()))
    with capture_logs():
        await crafty.work_off()
    assert await crafty.next_due() == clock() + soonest
    assert await crafty.ledger.told_wrong(REGISTRATION) == {UNREGISTERED.key}
    assert len(told(crafty)) == 1


async def test_an_examination_that_hangs_is_ended(crafty: Crafty, clock: SetClock, monkeypatch: Any) -> None:
    async def hangs() -> Sequence[Finding]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr(rounds, "_SECONDS", 0.01)
    crafty.examinations = {EVERYTHING: hangs}
    await crafty.queue.want(examination(EVERYTHING, clock()))
    await crafty.work_off()
    assert await crafty.next_due() == clock() + HOUR


async def test_an_examination_is_never_a_dead_letter(crafty: Crafty) -> None:
    async def fails() -> Sequence[Finding]:
        raise CraftyError("no")

    crafty.examinations = {EVERYTHING: fails}
    await crafty.queue.want(examination(EVERYTHING, crafty.clock()))
    with capture_logs():
        await crafty.work_off()
    assert await crafty.dead_letters() == []
