"""What evaluation rests on: every process sees the latest of it, and reads it anew only when it has changed."""

import asyncio

import pytest
from redis.asyncio import Redis

from service.current import Current
from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.steering import Actor, Steering, steering
from service.tuning import Tuning
from tests.builders import book
from tests.conftest import SetClock

RULE = "missing-reviewer"
FOUND = Site(fields=FieldMap(reviewer="customfield_7"), jira_bot=("acc-crafty",))


class CountingLedger(Ledger):
    """Counts how often it is asked for what evaluation rests on. late: what the next answer waits for on its way."""

    reads = 0
    late: asyncio.Event | None = None

    async def standing_rules(self) -> tuple[Site | None, dict[str, dict[str, Tuning]], str]:
        self.reads += 1
        late, self.late = self.late, None
        answer = await super().standing_rules()
        if late:
            await late.wait()
        return answer


@pytest.fixture
def ledger(redis: Redis) -> CountingLedger:
    return CountingLedger(redis)


@pytest.fixture
def current(ledger: Ledger) -> Current:
    return Current(ledger, book())


@pytest.fixture
def admin(redis: Redis, clock: SetClock) -> Steering:
    """An admin at another process."""
    return steering(redis, clock, Current(Ledger(redis), book()), ["Serenity"])


async def turn_off(admin: Steering) -> None:
    await admin.tune(RULE, "", {"mode": "off"}, Actor("ada", "cli"))


def mode(current: Current) -> str:
    return current.book.setting(RULE, "Serenity").mode


async def test_before_anything_was_read_the_configuration_counts(current: Current) -> None:
    assert (mode(current), current.site, current.tunings, current.version) == ("on", Site(), {}, "")


async def test_where_nothing_is_stored_the_configuration_counts(current: Current) -> None:
    await current.reload()
    assert (mode(current), current.site, current.tunings, current.version) == ("on", Site(), {}, "0")


async def test_a_change_at_another_process_is_seen_at_its_version(current: Current, admin: Steering) -> None:
    await current.reload()
    await turn_off(admin)
    assert mode(current) == "on"
    await current.at("1")
    assert (mode(current), current.version) == ("off", "1")
    assert current.configured.setting(RULE, "Serenity").mode == "on"


async def test_what_was_found_out_about_the_site_is_a_change_too(current: Current, ledger: Ledger) -> None:
    await current.reload()
    await ledger.keep_site(FOUND)
    await current.at("1")
    assert (current.site, current.version) == (FOUND, "1")


async def test_it_is_read_once_for_each_version(current: Current, ledger: CountingLedger, admin: Steering) -> None:
    for _ in range(3):
        await current.at("0")
    assert ledger.reads == 1
    await turn_off(admin)
    for _ in range(3):
        await current.at("1")
    assert ledger.reads == 2


async def test_a_version_that_is_older_than_what_is_known_changes_nothing(current: Current, admin: Steering) -> None:
    await turn_off(admin)
    await current.at("1")
    await current.at("0")
    assert (mode(current), current.version) == ("off", "1")


async def test_a_process_that_starts_again_with_other_configuration_keeps_what_admins_changed(
    ledger: Ledger, admin: Steering
) -> None:
    await turn_off(admin)
    restarted = Current(ledger, book('\n[rules.missing-reviewer]\nmode = "dry-run"\nsettle = "9m"\n'))
    await restarted.reload()
    found = restarted.book.setting(RULE, "Serenity")
    assert (found.mode, found.settle.total_seconds()) == ("off", 540)


async def test_an_answer_that_comes_late_does_not_undo_a_newer_one(
    current: Current, ledger: CountingLedger, admin: Steering
) -> None:
    late = ledger.late = asyncio.Event()
    first = asyncio.create_task(current.at("0"))
    while not ledger.reads:  # noqa: ASYNC110 - the first one is on its way
        await asyncio.sleep(0)
    await turn_off(admin)
    second = asyncio.create_task(current.at("1"))
    await admin.rules()
    late.set()
    await asyncio.gather(first, second)
    assert (mode(current), current.version) == ("off", "1")
