"""People are written to in their working hours and not too often; what waits or is over is neither lost nor doubled."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from redis.asyncio import Redis

from service.actions import Action, Comment, Digest, EditComment, MoveToBacklog, MoveToSprint, Notify
from service.attention import Attention
from service.errors import TryLater
from service.facts import Person
from service.ledger import Ledger
from service.queue import perform
from service.texts import Message, item, paragraph, small
from tests.builders import ANN, BOB, FAY, NEW_YORK, PARIS, SAM, wall
from tests.conftest import SetClock
from tests.test_effects import Killed
from tests.test_jobs import FOUND, RULE, Crafty

KOLKATA = ZoneInfo("Asia/Kolkata")
MOVE = MoveToSprint(ticket="SE-1", occasion="sprint-42", sprint=40, name="Stretch Goals")
ENOUGH = ("skipped", "enough messages for a day, so it goes into the next list")


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Crafty:
    """A Crafty with the usual manners: five a day, and quiet from 20:00 to 08:00. It is noon in Paris."""
    clock.now = wall("2026-11-03 12:00")
    made = Crafty(redis, clock, attention=Attention(), rules=(RULE, "another-rule", "third-rule"))
    await made.ledger.keep_site(FOUND)
    return made


def says(text: str, who: Person | None = None) -> Message:
    return Message((paragraph("{who}, {text}", who=who, text=text) if who else paragraph(text),))


def ask(*, who: Person | None = None, state: str = "missing reviewer", ticket: str = "SE-1") -> Comment:
    return Comment(ticket=ticket, occasion="sprint-41", state=state, message=says("who reviews it?", who))


def thanks() -> EditComment:
    return EditComment(ticket="SE-1", occasion="sprint-41", state="reviewed", message=says("Thank you!"))


def tell(person: Person = SAM, occasion: str = "sprint-41", *, after: str | None = None) -> Notify:
    return Notify(person=person, occasion=occasion, message=says(f"It is about {occasion}"), after=after)


def digest(at: datetime, text: str, person: Person = SAM) -> Digest:
    return Digest(
        person=person, occasion="s", intro=paragraph("Not ready:"), line=item(text), footer=small("Bye"), at=at
    )


async def want(crafty: Crafty, action: Action, rule: str = RULE, subject: str = "SE-1") -> None:
    """Asks for an action of whatever rule, and does what is due."""
    await crafty.queue.want(perform(action, rule, subject, crafty.clock()))
    await crafty.work_off()


async def use_up(crafty: Crafty, person: Person = SAM, count: int = 5) -> None:
    """Sends the person so many messages, all of which arrive."""
    for number in range(count):
        await want(crafty, tell(person, f"number {number}"), "another-rule", f"SE-{10 + number}")
    assert len(texts(crafty, person)) == count


def texts(crafty: Crafty, person: Person = SAM) -> list[str]:
    return [text for where, _, text in crafty.chat.messages if where == f"@{person.mattermost}"]


async def at(crafty: Crafty, moment: str, zone: ZoneInfo = PARIS) -> None:
    """Lets time pass until that moment, and does what is due then."""
    crafty.clock.now = wall(moment, zone)
    await crafty.work_off()


# Working hours


@pytest.mark.parametrize(
    ("person", "zone", "now", "opens"),
    [
        pytest.param(SAM, PARIS, "2026-11-03 23:00", "2026-11-04 08:00", id="at night, in the cell's zone"),
        pytest.param(BOB, NEW_YORK, "2026-11-03 23:00", "2026-11-04 08:00", id="at night, in New York"),
        pytest.param(ANN, KOLKATA, "2026-11-03 23:00", "2026-11-04 08:00", id="at night, in Kolkata"),
        pytest.param(SAM, PARIS, "2026-11-06 20:00", "2026-11-09 08:00", id="on Friday evening, until Monday"),
        pytest.param(BOB, NEW_YORK, "2026-10-30 21:00", "2026-11-02 08:00", id="over New York's change of the clocks"),
        pytest.param(SAM, PARIS, "2026-10-23 21:00", "2026-10-26 08:00", id="over Paris's change of the clocks"),
    ],
)
async def test_a_message_waits_for_the_persons_morning(
    crafty: Crafty, person: Person, zone: ZoneInfo, now: str, opens: str
) -> None:
    crafty.clock.now, morning = wall(now, zone), wall(opens, zone)
    await crafty.act(ask(), tell(person))
    assert texts(crafty, person) == []
    assert ("held", f"it is not {person.name}'s working time; it waits until then") in await crafty.effects()
    assert await crafty.next_due() == morning

    crafty.clock.now = morning - timedelta(minutes=1)
    await crafty.work_off()
    assert texts(crafty, person) == []

    crafty.clock.now = morning
    await crafty.work_off()
    assert texts(crafty, person) == ["It is about sprint-41"]


@pytest.mark.parametrize("now", ["2026-11-03 08:00", "2026-11-03 19:59"], ids=["the first minute", "the last one"])
async def test_a_message_in_working_hours_is_sent_at_once(crafty: Crafty, now: str) -> None:
    crafty.clock.now = wall(now)
    await crafty.act(tell())
    assert texts(crafty) == ["It is about sprint-41"]


async def test_days_off_and_holidays_are_waited_for(crafty: Crafty) -> None:
    off = Person(id="sam", name="Sam", mattermost="sam", time_off=((date(2026, 11, 3), date(2026, 11, 4)),))
    await crafty.act(ask(), tell(off))
    assert await crafty.next_due() == wall("2026-11-05 08:00")


async def test_what_nobody_is_woken_by_is_done_at_night(crafty: Crafty) -> None:
    crafty.clock.now = wall("2026-11-03 23:00")
    channel = Notify(channel="serenity", occasion="sprint-41", message=says("Hello"))
    await crafty.act(ask(who=SAM), MoveToBacklog(ticket="SE-1"), channel)
    assert crafty.comments == ["Sam, who reviews it?"]
    assert [where for where, _, _ in crafty.chat.messages] == ["#serenity"]


async def test_what_was_held_is_looked_at_again_where_the_comment_asks_no_more(crafty: Crafty) -> None:
    crafty.clock.now = wall("2026-11-03 23:00")
    await crafty.act(ask(), tell())
    await crafty.act(thanks())
    reads = crafty.jira.reads
    await at(crafty, "2026-11-04 08:00")
    assert texts(crafty) == []
    assert crafty.jira.reads == reads + 1
    assert ("skipped", "it waited too long, so Crafty looks again first") in await crafty.effects()


@pytest.mark.parametrize(("words", "held"), [("Hello", 1), ("Another thing", 2)], ids=["as it was", "in other words"])
async def test_what_is_held_is_noted_once_as_long_as_it_says_the_same(crafty: Crafty, words: str, held: int) -> None:
    for hour, text in ((22, "Hello"), (23, words)):
        crafty.clock.now = wall(f"2026-11-03 {hour}:00")
        await crafty.act(Notify(person=SAM, occasion="sprint-41", message=says(text)))
    assert [result for result, _ in await crafty.effects()].count("held") == held
    await at(crafty, "2026-11-04 08:00")
    assert len(texts(crafty)) == 1


async def test_what_was_held_without_a_comment_is_sent_once_where_it_is_still_wanted(crafty: Crafty) -> None:
    crafty.clock.now = wall("2026-11-03 23:00")
    await crafty.act(tell())
    await at(crafty, "2026-11-04 08:00")
    await at(crafty, "2026-11-05 08:00")
    assert texts(crafty) == ["It is about sprint-41"]


async def test_what_tells_of_a_deed_is_sent_in_the_morning_whatever_the_comment_says(crafty: Crafty) -> None:
    crafty.clock.now = wall("2026-11-03 23:00")
    await crafty.act(MOVE, ask(state="moved"), tell(after=MOVE.key(RULE, "SE-1")))
    reads = crafty.jira.reads
    await at(crafty, "2026-11-04 08:00")
    assert texts(crafty) == ["It is about sprint-41"]
    assert crafty.jira.reads == reads


@pytest.mark.parametrize("is_killed", [True, False], ids=["the worker died", "the chat gave no clear answer"])
async def test_a_message_that_went_out_at_the_last_minute_is_not_sent_again_in_the_morning(
    crafty: Crafty, is_killed: bool
) -> None:
    await crafty.act(ask())
    crafty.clock.now = wall("2026-11-03 19:59") + timedelta(seconds=59)
    await crafty.want(tell())
    crafty.chat.dies_after_posting = is_killed
    crafty.chat.faults_after = [] if is_killed else [TryLater("no answer")]
    try:
        await crafty.work_off()
    except Killed:
        assert is_killed
    await at(crafty, "2026-11-03 20:05")
    await at(crafty, "2026-11-04 08:00")
    assert texts(crafty) == ["It is about sprint-41"]
    assert await crafty.next_due() is None


async def test_a_message_that_was_held_for_a_weekend_is_not_given_up_at_its_first_failure(crafty: Crafty) -> None:
    crafty.clock.now = wall("2026-11-06 20:00")
    await crafty.act(ask(), tell())
    crafty.chat.faults = [TryLater("busy")]
    await at(crafty, "2026-11-09 08:00")
    await at(crafty, "2026-11-09 08:01")
    assert texts(crafty) == ["It is about sprint-41"]
    assert await crafty.dead_letters() == []


async def test_a_digest_at_night_keeps_its_lines_until_the_morning_and_takes_later_ones(crafty: Crafty) -> None:
    night = wall("2026-11-03 23:00")
    await want(crafty, digest(night, "SE-1 has no estimate"))
    await at(crafty, "2026-11-03 23:00")
    await want(crafty, digest(night, "SE-2 has no reviewer"), subject="SE-2")
    assert texts(crafty) == []
    await at(crafty, "2026-11-04 08:00")
    (text,) = texts(crafty)
    assert all(line in text for line in ("SE-1 has no estimate", "SE-2 has no reviewer"))
    assert await crafty.next_due() is None


async def test_a_digest_that_went_out_before_a_crash_is_not_sent_again_though_a_line_is_not_true_any_more(
    crafty: Crafty,
) -> None:
    await crafty.act(ask())
    for subject in ("SE-1", "SE-2"):
        await crafty.want(digest(crafty.clock(), f"{subject} has no reviewer"), subject)
    crafty.chat.dies_after_posting = True
    with pytest.raises(Killed):
        await crafty.work_off()
    await crafty.act(thanks())
    crafty.clock.advance(minutes=5)
    await crafty.work_off()
    assert len(texts(crafty)) == 1


# The budget


async def test_what_is_over_budget_goes_into_one_list_of_the_next_morning_whichever_rules_it_comes_from(
    crafty: Crafty,
) -> None:
    await use_up(crafty)
    await want(crafty, tell(occasion="a sixth"))
    await want(crafty, tell(occasion="a seventh"), "third-rule", "SE-2")
    assert len(texts(crafty)) == 5
    assert [await crafty.effects(subject) for subject in ("SE-1", "SE-2")] == [[ENOUGH], [ENOUGH]]
    assert await crafty.next_due() == wall("2026-11-04 08:00")

    await at(crafty, "2026-11-04 08:00")
    (text,) = texts(crafty)[5:]
    assert text.startswith("Sam, a few more things that came up.")
    assert all(line in text for line in ("SE-1: It is about a sixth", "SE-2: It is about a seventh"))
    assert await crafty.next_due() is None


async def test_each_list_of_a_day_counts_though_it_is_of_one_kind(crafty: Crafty) -> None:
    for number in range(7):
        await want(crafty, digest(crafty.clock(), f"number {number}"), subject=f"SE-{number}")
        crafty.clock.now += timedelta(minutes=30)
    assert len(texts(crafty)) == 5
    await at(crafty, "2026-11-04 08:00")
    (text,) = texts(crafty)[5:]
    assert all(f"number {number}" in text for number in (5, 6))


async def test_a_list_of_friday_comes_on_monday(crafty: Crafty) -> None:
    crafty.clock.now = wall("2026-11-06 12:00")
    await use_up(crafty)
    await want(crafty, tell())
    assert await crafty.next_due() == wall("2026-11-09 08:00")


async def test_a_new_day_has_a_budget_of_its_own(crafty: Crafty) -> None:
    await use_up(crafty)
    crafty.clock.now = wall("2026-11-04 08:00")
    await want(crafty, tell())
    assert len(texts(crafty)) == 6


async def test_a_day_ends_at_the_persons_own_midnight(crafty: Crafty) -> None:
    crafty.clock.now = wall("2026-11-03 18:00", NEW_YORK)
    await use_up(crafty, BOB)
    crafty.clock.now = wall("2026-11-03 19:59", NEW_YORK)
    await want(crafty, tell(BOB))
    assert len(texts(crafty, BOB)) == 5
    assert await crafty.next_due() == wall("2026-11-04 08:00", NEW_YORK)


async def test_one_persons_messages_take_nothing_from_another(crafty: Crafty) -> None:
    await use_up(crafty)
    await want(crafty, tell(FAY))
    assert texts(crafty, FAY) == ["It is about sprint-41"]


async def test_a_mention_in_a_new_comment_counts(crafty: Crafty) -> None:
    await crafty.act(ask(who=SAM))
    await use_up(crafty, count=4)
    await want(crafty, tell())
    assert len(texts(crafty)) == 4


async def test_a_mention_over_budget_is_the_persons_name_and_a_line_of_the_list(crafty: Crafty) -> None:
    await use_up(crafty)
    await crafty.act(ask(who=SAM))
    (comment,) = crafty.jira.comments.values()
    assert (comment.text, comment.mentions) == ("Sam, who reviews it?", ())
    await at(crafty, "2026-11-04 08:00")
    assert "SE-1: Sam, who reviews it?" in texts(crafty)[-1]


async def test_only_whoever_has_had_enough_is_named_without_a_mention(crafty: Crafty) -> None:
    await use_up(crafty)
    both = Message((paragraph("{sam} and {fay}, who reviews it?", sam=SAM, fay=FAY),))
    await crafty.act(Comment(ticket="SE-1", occasion="sprint-41", state="missing reviewer", message=both))
    (comment,) = crafty.jira.comments.values()
    assert comment.mentions == (FAY,)


async def test_edits_count_nothing(crafty: Crafty) -> None:
    await crafty.act(ask(who=SAM))
    for number in range(7):
        await crafty.act(ask(who=SAM, state=f"missing reviewer {number}"))
    (comment,) = crafty.jira.comments.values()
    assert comment.edits == 7
    await use_up(crafty, count=4)


@pytest.mark.parametrize("faults", [1, 6], ids=["twice", "seven times"])
async def test_a_message_that_is_tried_again_counts_once(crafty: Crafty, faults: int) -> None:
    crafty.chat.faults = [TryLater("busy") for _ in range(faults)]
    await crafty.act(ask(), tell())
    for _ in range(faults):
        crafty.clock.advance(minutes=2)
        await crafty.work_off()
    assert len(texts(crafty)) == 1
    for number in range(4):
        await want(crafty, tell(occasion=f"number {number}"))
    assert len(texts(crafty)) == 5


async def test_nothing_over_budget_is_sent_twice(crafty: Crafty) -> None:
    await use_up(crafty)
    for _ in range(3):
        await want(crafty, tell())
    for day in ("2026-11-04 08:00", "2026-11-05 08:00"):
        await at(crafty, day)
        await want(crafty, tell())
    assert len(texts(crafty)) == 6
    assert await crafty.next_due() is None


async def test_a_digest_counts_once_and_waits_for_tomorrow_where_the_day_is_full(crafty: Crafty) -> None:
    await use_up(crafty)
    await want(crafty, digest(crafty.clock(), "SE-1 has no estimate"))
    assert len(texts(crafty)) == 5
    assert await crafty.next_due() == wall("2026-11-04 08:00")
    await at(crafty, "2026-11-04 08:00")
    assert "SE-1 has no estimate" in texts(crafty)[-1]
    for number in range(5):
        await want(crafty, tell(occasion=f"another {number}"))
    assert len(texts(crafty)) == 10


async def test_a_line_whose_comment_asks_no_more_is_left_out(crafty: Crafty) -> None:
    await use_up(crafty)
    await crafty.act(ask(), tell())
    await want(crafty, tell(occasion="a seventh"), "third-rule", "SE-2")
    await crafty.act(thanks())
    await at(crafty, "2026-11-04 08:00")
    (text,) = texts(crafty)[5:]
    assert ("SE-1" in text, "SE-2" in text) == (False, True)


async def test_a_list_of_nothing_is_not_sent_and_counts_nothing(crafty: Crafty, redis: Redis) -> None:
    await use_up(crafty)
    await crafty.act(ask(), tell())
    await crafty.act(thanks())
    await at(crafty, "2026-11-04 08:00")
    assert len(texts(crafty)) == 5
    assert ("skipped", "nothing in it is asked for any more") in await crafty.effects()
    assert await Ledger(redis).may_ping("sam", date(2026, 11, 4), "the first of that day", 1)


async def test_a_line_that_tells_of_a_deed_stays_whatever_the_comment_says(crafty: Crafty) -> None:
    await use_up(crafty)
    await crafty.act(MOVE, ask(state="moved"), tell(occasion="the move", after=MOVE.key(RULE, "SE-1")))
    assert ENOUGH in await crafty.effects()
    await at(crafty, "2026-11-04 08:00")
    assert "SE-1: It is about the move" in texts(crafty)[-1]
    assert ("done", "told Sam in chat") in await crafty.effects()


async def test_a_deed_and_a_question_about_one_ticket_are_two_lines(crafty: Crafty) -> None:
    await use_up(crafty)
    await crafty.act(ask(), tell(), MOVE, tell(occasion="the move", after=MOVE.key(RULE, "SE-1")))
    await at(crafty, "2026-11-04 08:00")
    assert all(line in texts(crafty)[-1] for line in ("It is about sprint-41", "It is about the move"))
