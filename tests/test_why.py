"""Why: all that Crafty knows about its own dealings with one subject, in one place."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from service.actions import Recheck
from service.contributions import Note
from service.engine import Decision
from service.facts import Person
from service.ledger import Contributed
from service.queue import look, look_again
from service.rules._base import Verdict
from service.why import Why, why
from tests.builders import ticket
from tests.conftest import SetClock
from tests.test_jobs import FOUND, NOW, RULE, Crafty, ask, tell
from tests.test_queue import taken

PULL = "github:acme/tool#12"
ADA = Person(name="Ada", github="ada")
OPENED = Note(what="opened", at=NOW, by=ADA, title="Fix the docs", url="https://x.example/12", kind="pull request")


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Crafty:
    made = Crafty(redis, clock)
    await made.ledger.keep_site(FOUND)
    return made


async def story(crafty: Crafty, subject: str = "SE-1", limit: int = 100) -> Why:
    return await why(crafty.ledger, crafty.current.configured, subject, limit)


async def deliver(crafty: Crafty) -> None:
    """A webhook tells of SE-1, and the rule wants to look."""
    decided = Decision(
        rule=RULE, subject="SE-1", cell="Serenity", mode="on", outcome="act", reason="nobody reviews it", facts={"x": 1}
    )
    looks = [look(decided, crafty.clock(), timedelta(0))]
    await crafty.queue.ingest(taken(decisions=[decided], looks=looks), (await crafty.ledger.site())[1])


async def test_the_whole_story_of_a_ticket(crafty: Crafty, clock: SetClock) -> None:
    again = clock() + timedelta(hours=1)
    crafty.verdict = Verdict.act("nobody reviews it", ask(), tell(), Recheck(subject="SE-1", at=again))
    await deliver(crafty)
    await crafty.work_off()
    found = await story(crafty)
    *effects, looked, came = found.entries
    assert (came.stage, came.delivery, came.decisions[0].facts) == ("webhook", "d-1", {"x": 1})
    assert (looked.stage, looked.decisions[0].reason) == ("look", "nobody reviews it")
    assert {one.effect.kind for one in effects if one.effect} == {"comment", "notify"}
    assert found.planned == {RULE: again}
    assert {rule: case.state for rule, case in found.comments.items()} == {RULE: "missing"}
    assert (found.subject, found.contribution) == ("SE-1", None)


async def test_a_silence_has_its_reason_too(crafty: Crafty) -> None:
    await crafty.tune(mode="off")
    await deliver(crafty)
    await crafty.queue.want(look_again(RULE, "SE-1", crafty.clock()))
    await crafty.work_off()
    newest, *_ = (await story(crafty)).entries
    assert [(one.mode, one.reason) for one in newest.decisions] == [("off", "the rule is off")]


async def test_what_is_not_known_has_an_empty_story(crafty: Crafty) -> None:
    assert await story(crafty) == Why("SE-1", (), {}, {}, None)


async def test_the_newest_entries_come_first_and_no_more_than_were_asked_for(crafty: Crafty) -> None:
    for number in range(5):
        await crafty.look(Verdict.passed(f"look {number}"))
    found = await story(crafty, limit=2)
    assert [entry.decisions[0].reason for entry in found.entries] == ["look 4", "look 3"]


async def test_a_contribution_is_told_of_with_what_is_known_of_it(crafty: Crafty) -> None:
    await crafty.ledger.keep_notes(Contributed(key=PULL, place="acme/tool", notes=(OPENED,)))
    found = await story(crafty, PULL)
    assert found.contribution is not None
    assert (found.contribution.key, found.contribution.place) == (PULL, "acme/tool")


async def test_other_subjects_stay_out_of_it(crafty: Crafty) -> None:
    crafty.jira.tickets["SE-2"] = ticket(key="SE-2")
    await crafty.look(Verdict.passed("nothing to do"), "SE-2")
    assert await story(crafty) == Why("SE-1", (), {}, {}, None)
