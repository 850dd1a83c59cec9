"""Every line of community-ack's table, each boundary from both sides, and what people read."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.actions import Action, Comment, CreateTicket, EditComment, Link, Notify, Record
from service.contributions import Acknowledgement, Answer, Contribution, Kind
from service.facts import Cell, Duty, Person, Said, Unknown
from service.rules._base import Verdict
from service.rules.community_ack import RULE
from service.texts import to_mattermost, to_plain
from tests.builders import (
    ANN,
    BOB,
    FAY,
    FINN,
    NEW_YORK,
    PARIS,
    SAM,
    cell,
    cell_with,
    length,
    messages,
    plain,
    said_after,
    summary,
    verdict_of,
    wall,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FRIDAY = wall("2026-11-06 15:00")
REMINDER = wall("2026-11-09 03:00")
MONDAY = wall("2026-11-09 15:00")
TOO_LATE = wall("2026-11-12 15:00")

KEY = "github:acme/tool#12"
ADA = Person(name="Ada", github="ada")
LEE = Person(id="lee", name="Lee", jira="acc-lee", mattermost="lee")

CREATE = "create_ticket SE "
LINK = "link SE-7 "
TOLD = "notify @lee opened"
REMINDED = "notify @lee reminder"
MISSED = [f"record {KEY} missed", "notify #serenity missed"]
AT_REMINDER = f"recheck {KEY} 2026-11-09 02:00"
AT_PROMISE = f"recheck {KEY} 2026-11-09 14:00"
COMMENT = "comment SE-7 answer"
EDIT = "edit_comment SE-7 answer"


def offered(**facts: Any) -> Contribution:
    """Ada's pull request, open since Friday at 15:00."""
    usual: dict[str, Any] = {
        "key": KEY,
        "place": "acme/tool",
        "kind": "pull request",
        "title": "Fix the docs",
        "url": "https://github.example/acme/tool/pull/12",
        "author": ADA,
        "is_member": False,
        "is_bot": False,
        "groups": (),
        "opened_at": FRIDAY,
        "waiting_since": FRIDAY,
        "is_draft": False,
        "closed_at": None,
        "closed_by": None,
        "answers": (),
        "ticket": None,
    }
    return Contribution(**{**usual, **facts})


def answer(by: Person | None = BOB, at: datetime = FRIDAY + 3 * HOUR, **marks: Any) -> Answer:
    return Answer(at=at, by=by, **marks)


def answered(*answers: Answer, **facts: Any) -> Contribution:
    return offered(answers=answers or (answer(),), **facts)


def cell_of_lee(**calendar: Any) -> Cell:
    """The test team's cell with Lee as its liaison."""
    usual = cell_with(**calendar)
    return replace(usual, roles={**usual.roles, "community_liaison": LEE})


def off(person: Person, first: date, last: date) -> Person:
    return msgspec.structs.replace(person, time_off=((first, last),))


def key_of(action: Action) -> str:
    return action.key("community-ack", KEY)


def done_by(*verdicts: Verdict) -> frozenset[str]:
    """What the ledger of effects holds once all that these wanted is done."""
    return frozenset(key_of(action) for verdict in verdicts for action in verdict.actions if not action.is_sticky)


def look(
    about: Contribution,
    now: datetime,
    *,
    done: frozenset[str] = frozenset(),
    said: Said | None = None,
    within: Cell | None = None,
    **params: Any,
) -> Verdict:
    return verdict_of(RULE, about, now, said=said, within=within or cell_of_lee(), around={"done": done}, **params)


TAKEN_UP = done_by(look(offered(), FRIDAY))
ESCALATED = TAKEN_UP | done_by(look(offered(), MONDAY))
ASKING = Said(occasion="answer", state="missing answer", at=MONDAY)


def line_of(verdict: Verdict) -> Acknowledgement:
    """The one line that a verdict puts into the ledger."""
    (line,) = [action.line for action in verdict.actions if isinstance(action, Record)]
    assert isinstance(line, Acknowledgement)
    return line


def the(kind: type[Action], verdict: Verdict) -> Any:
    """The one action of that kind."""
    (action,) = [action for action in verdict.actions if type(action) is kind]
    return action


@pytest.mark.parametrize(
    ("facts", "params", "reason"),
    [
        pytest.param({"author": ANN}, {}, "a member", id="somebody of the people map"),
        pytest.param({"is_member": True}, {}, "a member", id="a member as the site has it"),
        pytest.param({"groups": ("Core",)}, {"member_groups": ["core"]}, "a member", id="somebody of a member group"),
        pytest.param({"is_bot": True}, {}, "a bot", id="a bot as the site has it"),
        pytest.param({"author": Person(name="D", github="dependabot[bot]")}, {}, "a bot", id="a well-known bot"),
        pytest.param(
            {"author": Person(name="R", gitlab="Acme-Bot")}, {"bots": ["acme-bot"]}, "a bot", id="a named bot"
        ),
        pytest.param({"author": Person(name="C", jira="acc-crafty")}, {}, "a bot", id="Crafty itself"),
        pytest.param({"is_draft": True}, {}, "a draft", id="a draft"),
    ],
)
@pytest.mark.parametrize("now", [FRIDAY, MONDAY + MINUTE])
def test_nobody_waits_for_an_answer_to(
    facts: dict[str, Any], params: dict[str, Any], reason: str, now: datetime
) -> None:
    verdict = look(offered(**facts), now, **params)

    assert (verdict.outcome, verdict.actions) == ("pass", ())
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("standing", "actions"),
    [
        pytest.param("missing answer", [EDIT], id="the question is withdrawn"),
        pytest.param("withdrawn", [], id="once"),
        pytest.param("answered", [], id="thanks stay"),
    ],
)
@pytest.mark.parametrize("facts", [{"is_draft": True}, {"author": ANN}], ids=["a draft again", "a member by now"])
def test_a_question_about_what_needs_no_answer_any_more(
    facts: dict[str, Any], standing: str, actions: list[str]
) -> None:
    said = msgspec.structs.replace(ASKING, state=standing)
    verdict = look(offered(ticket="SE-7", **facts), MONDAY + HOUR, done=ESCALATED, said=said)

    text = f"{LINKED} needs no answer for now. Thank you!\nCrafty, rule community-ack. On SE-7: “@crafty why”."

    assert summary(verdict) == actions
    assert plain(verdict) == [text] * len(actions)


@pytest.mark.parametrize(
    ("facts", "params"),
    [
        pytest.param({}, {}, id="a pull request"),
        pytest.param({"kind": "merge request"}, {}, id="a merge request"),
        pytest.param({"kind": "issue"}, {}, id="an issue"),
        pytest.param({"kind": "topic", "place": 7}, {}, id="a topic"),
        pytest.param({"kind": "ticket", "place": "HELP"}, {}, id="a ticket of the contributions project"),
        pytest.param({"author": None}, {}, id="one whose author is gone"),
        pytest.param({"groups": ("trust_level_1",)}, {"member_groups": ["core"]}, id="somebody of another group"),
        pytest.param({"groups": ("core",)}, {}, id="somebody of a group that nobody named"),
        pytest.param({"author": Person(name="Dependabot", github="dee")}, {}, id="a person with the name of a bot"),
    ],
)
def test_a_contribution_is_taken_up_at_once(facts: dict[str, Any], params: dict[str, Any]) -> None:
    verdict = look(offered(**facts), FRIDAY, **params)

    assert verdict.outcome == "act"
    assert "promised by Monday 9 November at 15:00 (Europe/Paris)" in verdict.reason
    assert summary(verdict) == [CREATE, TOLD, AT_REMINDER]


@pytest.mark.parametrize(
    ("now", "outcome", "actions"),
    [
        pytest.param(FRIDAY, "wait", [AT_REMINDER], id="as it is opened"),
        pytest.param(FRIDAY + 12 * HOUR, "wait", [AT_REMINDER], id="after 12 h by the clock, on Saturday"),
        pytest.param(REMINDER - MINUTE, "wait", [AT_REMINDER], id="after 11 h 59 of working time"),
        pytest.param(REMINDER, "act", [REMINDED, AT_PROMISE], id="after 12 h of working time"),
        pytest.param(REMINDER + MINUTE, "act", [REMINDED, AT_PROMISE], id="after 12 h 01 of working time"),
        pytest.param(MONDAY - MINUTE, "act", [REMINDED, AT_PROMISE], id="after 23 h 59 of working time"),
        pytest.param(MONDAY, "act", MISSED, id="after 24 h of working time"),
        pytest.param(MONDAY + MINUTE, "act", MISSED, id="after 24 h 01 of working time"),
    ],
)
def test_the_clock_of_a_contribution(now: datetime, outcome: str, actions: list[str]) -> None:
    verdict = look(offered(), now, done=TAKEN_UP)

    assert verdict.outcome == outcome
    assert summary(verdict) == actions


@pytest.mark.parametrize(
    ("zone", "opened", "reminder", "due", "params"),
    [
        pytest.param(PARIS, "2026-11-04 15:00", "2026-11-05 03:00", "2026-11-05 15:00", {}, id="within the week"),
        pytest.param(PARIS, "2026-11-07 10:00", "2026-11-09 12:00", "2026-11-10 00:00", {}, id="opened on Saturday"),
        pytest.param(PARIS, "2026-11-10 15:00", "2026-11-12 03:00", "2026-11-12 15:00", {}, id="a holiday"),
        pytest.param(PARIS, "2026-10-23 15:00", "2026-10-26 03:00", "2026-10-26 15:00", {}, id="Paris, October 2026"),
        pytest.param(PARIS, "2027-03-26 15:00", "2027-03-29 03:00", "2027-03-29 15:00", {}, id="Paris, March 2027"),
        pytest.param(NEW_YORK, "2026-10-30 15:00", "2026-11-02 03:00", "2026-11-02 15:00", {}, id="New York, November"),
        pytest.param(NEW_YORK, "2027-03-12 15:00", "2027-03-15 03:00", "2027-03-15 15:00", {}, id="New York, March"),
        pytest.param(
            PARIS,
            "2026-11-06 15:00",
            "2026-11-07 03:00",
            "2026-11-07 15:00",
            {"count_weekends": True},
            id="weekends count",
        ),
        pytest.param(
            PARIS,
            "2026-11-10 15:00",
            "2026-11-11 03:00",
            "2026-11-11 15:00",
            {"count_weekends": True},
            id="holidays count with them",
        ),
        pytest.param(
            PARIS,
            "2026-10-24 16:00",
            "2026-10-25 03:00",
            "2026-10-25 15:00",
            {"count_weekends": True},
            id="weekends count, and a clock set back does not",
        ),
        pytest.param(
            NEW_YORK,
            "2027-03-13 15:00",
            "2027-03-14 04:00",
            "2027-03-14 16:00",
            {"count_weekends": True},
            id="weekends count, and a clock set forward does not",
        ),
        pytest.param(
            PARIS,
            "2026-11-04 15:00",
            "2026-11-04 16:00",
            "2026-11-04 17:00",
            {"reminder": HOUR, "promise": 2 * HOUR},
            id="times of the cell's own",
        ),
    ],
)
def test_when_the_reminder_and_the_promise_are_due(
    zone: ZoneInfo, opened: str, reminder: str, due: str, params: dict[str, Any]
) -> None:
    within = cell_of_lee(zone=zone, holidays={date(2026, 11, 11)})
    about = offered(waiting_since=wall(opened, zone))
    done = done_by(look(about, wall(opened, zone), within=within, **params))

    def told(at: str, step: timedelta) -> list[str]:
        verdict = look(about, wall(at, zone) + step, done=done, within=within, **params)
        return [action.occasion for action in verdict.actions if isinstance(action, Notify)]

    assert [told(reminder, step) for step in (-MINUTE, timedelta(), MINUTE)] == [[], ["reminder"], ["reminder"]]
    assert [told(due, step) for step in (-MINUTE, timedelta(), MINUTE)] == [["reminder"], ["missed"], ["missed"]]


def test_a_reminder_that_would_come_after_the_promise_does_not_come() -> None:
    verdict = look(offered(), FRIDAY, reminder=36 * HOUR)

    assert summary(verdict) == [CREATE, TOLD, AT_PROMISE]


@pytest.mark.parametrize(
    ("now", "actions"),
    [
        pytest.param(REMINDER, [CREATE, REMINDED, AT_PROMISE], id="after the reminder: reminded, and not told as well"),
        pytest.param(MONDAY, [CREATE, *MISSED], id="after the promise: in the channel only"),
        pytest.param(TOO_LATE, [CREATE, *MISSED], id="72 h after it"),
        pytest.param(TOO_LATE + MINUTE, [], id="later than that"),
    ],
)
def test_what_is_first_seen_late(now: datetime, actions: list[str]) -> None:
    assert summary(look(offered(), now)) == actions


@pytest.mark.parametrize(
    ("about", "done", "actions"),
    [
        pytest.param(offered(), TAKEN_UP, MISSED, id="something was done about it"),
        pytest.param(offered(ticket="SE-7"), frozenset(), [LINK, *MISSED, COMMENT], id="it has its ticket"),
        pytest.param(answered(), frozenset(), [], id="answered before it was first seen"),
        pytest.param(offered(closed_at=MONDAY), frozenset(), [], id="closed before it was first seen"),
    ],
)
def test_what_is_old_is_let_be_unless_it_was_taken_up_before(
    about: Contribution, done: frozenset[str], actions: list[str]
) -> None:
    assert summary(look(about, TOO_LATE + MINUTE, done=done)) == actions


def test_the_internal_ticket() -> None:
    made = the(CreateTicket, look(offered(title="Fix\nthe docs"), FRIDAY))

    assert (made.project, made.issue_type, made.epic, made.labels) == ("SE", "Task", None, ("community",))
    assert made.summary == "Community pull request: Fix the docs"
    assert made.due == date(2026, 11, 20)
    assert made.assignee == FAY
    assert to_plain(made.message) == (
        "Fay, could you see that the pull request Fix the docs (https://github.example/acme/tool/pull/12) gets its "
        "answer? Ada has waited since Friday 6 November at 15:00 (Europe/Paris).\n"
        "The team hopes to answer by Monday 9 November at 15:00 (Europe/Paris); a few kind words are enough for now. "
        "Should it not suit you, somebody else can be the assignee.\n"
        "Crafty, rule community-ack. Anyone in the team can answer, on the pull request "
        "(https://github.example/acme/tool/pull/12)."
    )


@pytest.mark.parametrize(
    ("labels", "is_taken"),
    [
        pytest.param(["help-wanted", "a"], True, id="as Jira takes them"),
        pytest.param(["help wanted"], False, id="with a blank"),
        pytest.param([""], False, id="empty"),
        pytest.param(["x" * 256], False, id="too long"),
    ],
)
def test_labels_are_what_jira_takes(labels: list[str], is_taken: bool) -> None:
    with nullcontext() if is_taken else pytest.raises(ValidationError, match=r"labels\.0"):
        RULE.params.model_validate({"labels": labels}, strict=False)


def test_the_internal_ticket_as_a_cell_wants_it() -> None:
    params: dict[str, Any] = {
        "project": "OPS",
        "issue_type": "Story",
        "epic": "OPS-1",
        "labels": ["a", "b"],
        "due_days": 0,
    }
    made = the(CreateTicket, look(offered(), FRIDAY, **params))

    assert (made.project, made.issue_type, made.epic, made.labels) == ("OPS", "Story", "OPS-1", ("a", "b"))
    assert made.due == date(2026, 11, 6)


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        pytest.param("2026-11-06 23:59", date(2026, 11, 20), id="a minute before midnight"),
        pytest.param("2026-11-07 00:00", date(2026, 11, 21), id="at midnight in the cell's zone"),
    ],
)
def test_the_internal_ticket_is_due_two_weeks_after_the_local_day(opened: str, due: date) -> None:
    assert the(CreateTicket, look(offered(waiting_since=wall(opened)), wall(opened))).due == due


@pytest.mark.parametrize(
    ("title", "characters"),
    [
        pytest.param("x" * 231, 255, id="as long as Jira takes it"),
        pytest.param("x" * 232, 255, id="a character longer"),
        pytest.param("x" * 9_000, 255, id="far too long"),
    ],
)
def test_the_summary_of_the_ticket_fits_into_jira(title: str, characters: int) -> None:
    assert len(the(CreateTicket, look(offered(title=title), FRIDAY)).summary) == characters


@pytest.mark.parametrize(
    ("people", "assignee"),
    [
        pytest.param((FAY, FINN), FAY, id="the first firefighter"),
        pytest.param((off(FAY, date(2026, 11, 6), date(2026, 11, 6)), FINN), FINN, id="the next when she is off today"),
        pytest.param((off(FAY, date(2026, 11, 7), date(2026, 11, 9)), FINN), FAY, id="her when she is off tomorrow"),
        pytest.param((LEE, FAY), LEE, id="the liaison who is on duty"),
        pytest.param((Person(id="zed", name="Zed"), FINN), FINN, id="the first whom Jira knows"),
        pytest.param((), None, id="nobody when nobody is on duty"),
    ],
)
def test_who_gets_the_internal_ticket(people: tuple[Person, ...], assignee: Person | None) -> None:
    within = replace(cell_of_lee(), duties=(Duty("firefighter", people, 0, 13),))
    made = the(CreateTicket, look(offered(), FRIDAY, within=within))

    assert (made.assignee and made.assignee.id) == (assignee and assignee.id)


def test_the_link_follows_as_soon_as_the_ticket_is_known() -> None:
    verdict = look(offered(ticket="SE-7", title="Fix [~ann]\nnow"), FRIDAY + MINUTE, done=TAKEN_UP)
    link = the(Link, verdict)

    assert summary(verdict) == [LINK, AT_REMINDER]
    assert (link.url, link.title) == ("https://github.example/acme/tool/pull/12", "Fix [~ann] now")
    assert link.global_id == "crafty=github:acme/tool#12"


AWAY = (date(2026, 11, 6), date(2026, 11, 6))


@pytest.mark.parametrize(
    ("roles", "channel", "told"),
    [
        pytest.param({"community_liaison": LEE, "sprint_planning_manager": SAM}, "team", ["@lee"], id="the liaison"),
        pytest.param({"sprint_planning_manager": SAM}, "team", ["@sam"], id="the manager where there is no liaison"),
        pytest.param(
            {"community_liaison": off(LEE, *AWAY), "sprint_planning_manager": SAM},
            "team",
            ["@sam"],
            id="the manager while the liaison is off",
        ),
        pytest.param({}, "team", ["#team"], id="the channel where there is neither"),
        pytest.param(
            {"community_liaison": off(LEE, *AWAY)}, "team", ["#team"], id="the channel while the only one is off"
        ),
        pytest.param({}, None, [], id="nobody where there is nobody"),
    ],
)
def test_who_is_told_at_once(roles: dict[str, Person], channel: str | None, told: list[str]) -> None:
    within = replace(cell(), roles=roles, channel=channel)
    verdict = look(offered(), FRIDAY, within=within)

    assert [action.target for action in verdict.actions if isinstance(action, Notify)] == told
    assert the(CreateTicket, verdict).target == "SE"


@pytest.mark.parametrize(
    ("day_off", "first", "later", "again"),
    [
        pytest.param(date(2026, 11, 6), FRIDAY, REMINDER - MINUTE, AT_REMINDER, id="the news"),
        pytest.param(
            date(2026, 11, 9), REMINDER, REMINDER + 24 * HOUR, f"recheck {KEY} 2026-11-11 14:00", id="the reminder"
        ),
    ],
)
def test_a_message_does_not_come_again_because_a_day_off_is_over(
    day_off: date, first: datetime, later: datetime, again: str
) -> None:
    roles = {"community_liaison": off(LEE, day_off, day_off), "sprint_planning_manager": SAM}
    around: dict[str, Any] = {"within": replace(cell(), roles=roles), "promise": 72 * HOUR}
    verdict = look(offered(), first, **around)

    assert the(Notify, verdict).person == SAM
    assert summary(look(offered(), later, done=done_by(verdict), **around)) == [again]


@pytest.mark.parametrize(
    ("channel", "told"),
    [
        pytest.param("serenity", ["#serenity"], id="in the channel"),
        pytest.param(None, ["@lee", "@fay", "@finn"], id="one by one where there is none"),
    ],
)
def test_who_is_told_when_the_promise_passed(channel: str | None, told: list[str]) -> None:
    verdict = look(offered(), MONDAY, done=TAKEN_UP, within=replace(cell_of_lee(), channel=channel))

    assert [action.target for action in verdict.actions if isinstance(action, Notify)] == told


def test_whoever_has_two_roles_is_told_once_and_who_is_off_then_is_not() -> None:
    monday = (date(2026, 11, 9), date(2026, 11, 9))
    roles = {"community_liaison": off(LEE, *monday), "sprint_planning_manager": SAM}
    duties = (Duty("firefighter", (SAM, off(FAY, *monday), FINN), 0, 13),)
    verdict = look(offered(), MONDAY, done=TAKEN_UP, within=replace(cell(), roles=roles, duties=duties, channel=None))

    assert [action.target for action in verdict.actions if isinstance(action, Notify)] == ["@sam", "@finn"]


def test_the_firefighters_of_the_next_week_are_not_asked_as_well() -> None:
    weeks = (Duty("firefighter", (FAY,), 0, 7), Duty("firefighter", (FINN,), 8, 13))
    within = replace(cell_of_lee(), channel=None, duties=weeks)
    done = TAKEN_UP | done_by(look(offered(), MONDAY, done=TAKEN_UP, within=within))

    assert summary(look(offered(), MONDAY + 24 * HOUR, done=done, within=within)) == []


def test_the_missed_promise_is_kept_for_the_statistics() -> None:
    line = line_of(look(offered(ticket="SE-7"), MONDAY, done=TAKEN_UP))

    assert line == Acknowledgement(
        contribution=KEY,
        cell="Serenity",
        title="Fix the docs",
        url="https://github.example/acme/tool/pull/12",
        waiting_since=FRIDAY,
        is_missed=True,
    )


def test_the_ticket_is_told_of_the_missed_promise_once_it_is_known() -> None:
    before = look(offered(), MONDAY, done=TAKEN_UP)
    after = look(offered(ticket="SE-7"), MONDAY + MINUTE, done=TAKEN_UP | done_by(before))

    assert summary(before) == MISSED
    assert summary(after) == [LINK, COMMENT]


def test_nobody_is_asked_any_more_after_that() -> None:
    done = ESCALATED | done_by(look(offered(ticket="SE-7"), MONDAY))
    verdict = look(offered(ticket="SE-7"), MONDAY + 24 * HOUR, done=done, said=ASKING)

    assert (verdict.outcome, verdict.actions) == ("pass", ())
    assert "which is past" in verdict.reason


@pytest.mark.parametrize(
    ("given_answer", "params"),
    [
        pytest.param(answer(), {}, id="a member"),
        pytest.param(answer(at=FRIDAY), {}, id="a member at the very moment"),
        pytest.param(answer(Person(name="Eve", github="eve"), is_member=True), {}, id="a member as the site has it"),
        pytest.param(answer(None, is_member=True), {}, id="a member whose account is gone"),
        pytest.param(
            answer(Person(name="Eve", discourse="eve"), groups=("Core",)),
            {"member_groups": ["core"]},
            id="somebody of a member group",
        ),
    ],
)
def test_an_answer_counts_from(given_answer: Answer, params: dict[str, Any]) -> None:
    verdict = look(answered(given_answer), FRIDAY + 4 * HOUR, done=TAKEN_UP, **params)

    assert summary(verdict) == [f"record {KEY} answered"]
    assert line_of(verdict).answered_at == given_answer.at


@pytest.mark.parametrize(
    "given_answer",
    [
        pytest.param(answer(Person(name="Eve", github="eve")), id="another stranger"),
        pytest.param(answer(None), id="nobody knows whom"),
        pytest.param(answer(ADA), id="the author"),
        pytest.param(answer(ADA, is_member=True), id="the author, though the site calls her a member by now"),
        pytest.param(answer(Person(name="Ada", github="ADA"), is_member=True), id="the author in capitals"),
        pytest.param(answer(is_bot=True), id="a bot as the site has it"),
        pytest.param(answer(Person(name="R", github="renovate[bot]"), is_member=True), id="a well-known bot"),
        pytest.param(answer(Person(name="C", jira="acc-crafty"), is_member=True), id="Crafty"),
        pytest.param(answer(at=FRIDAY - MINUTE), id="a member, before it was ready"),
    ],
)
def test_no_answer_counts_from(given_answer: Answer) -> None:
    assert summary(look(answered(given_answer), FRIDAY + 4 * HOUR, done=TAKEN_UP)) == [AT_REMINDER]


def test_the_first_answer_that_counts_is_the_one() -> None:
    ones = (answer(ADA, FRIDAY + HOUR), answer(BOB, FRIDAY + 2 * HOUR), answer(ANN, FRIDAY + 3 * HOUR))
    line = line_of(look(answered(*ones), FRIDAY + 4 * HOUR, done=TAKEN_UP))

    assert (line.answered_by, line.took) == ("Bob", 2 * HOUR)


@pytest.mark.parametrize(
    ("at", "took", "is_missed"),
    [
        pytest.param(FRIDAY + 9 * HOUR, 9 * HOUR, False, id="on Friday"),
        pytest.param(FRIDAY + 30 * HOUR, 9 * HOUR, False, id="on Saturday"),
        pytest.param(MONDAY - MINUTE, 24 * HOUR - MINUTE, False, id="a minute before the promise"),
        pytest.param(MONDAY, 24 * HOUR, False, id="at the promised time"),
        pytest.param(MONDAY + MINUTE, 24 * HOUR + MINUTE, True, id="a minute after it"),
    ],
)
def test_how_long_an_answer_took(at: datetime, took: timedelta, is_missed: bool) -> None:
    line = line_of(look(answered(answer(at=at)), MONDAY + HOUR, done=TAKEN_UP))

    assert (line.took, line.is_missed, line.answered_by, line.closed) == (took, is_missed, "Bob", False)


def test_how_long_an_answer_took_where_weekends_count() -> None:
    verdict = look(answered(answer(at=FRIDAY + 30 * HOUR)), MONDAY, done=TAKEN_UP, count_weekends=True)

    assert (line_of(verdict).took, line_of(verdict).is_missed) == (30 * HOUR, True)
    assert verdict.reason == "the pull request was answered by Bob after 1 day and 6 hours"


@pytest.mark.parametrize(
    ("took", "words"),
    [
        pytest.param(timedelta(0), "less than a minute", id="at once"),
        pytest.param(timedelta(seconds=59), "less than a minute", id="59 seconds"),
        pytest.param(MINUTE, "1 minute", id="a minute"),
        pytest.param(59 * MINUTE, "59 minutes", id="59 minutes"),
        pytest.param(HOUR, "1 hour", id="an hour"),
        pytest.param(3 * HOUR + MINUTE, "3 hours and 1 minute", id="hours and a minute"),
        pytest.param(24 * HOUR - MINUTE, "23 hours and 59 minutes", id="almost a day"),
        pytest.param(24 * HOUR, "1 working day", id="a day"),
        pytest.param(24 * HOUR + MINUTE, "1 working day", id="a day and a minute"),
        pytest.param(26 * HOUR, "1 working day and 2 hours", id="a day and hours"),
        pytest.param(49 * HOUR, "2 working days and 1 hour", id="days and an hour"),
    ],
)
def test_the_time_in_words(took: timedelta, words: str) -> None:
    since = wall("2026-11-02 00:00")
    verdict = look(answered(answer(at=since + took), waiting_since=since), since + 72 * HOUR)

    assert verdict.reason == f"the pull request was answered by Bob after {words}"


@pytest.mark.parametrize(
    ("about", "said", "actions"),
    [
        pytest.param(answered(), None, [f"record {KEY} answered"], id="no ticket yet"),
        pytest.param(answered(ticket="SE-7"), None, [f"record {KEY} answered", LINK, COMMENT], id="a ticket"),
        pytest.param(
            answered(ticket="SE-7"), ASKING, [f"record {KEY} answered", LINK, EDIT], id="a ticket that was told to act"
        ),
    ],
)
def test_who_answered_is_told_on_the_ticket(about: Contribution, said: Said | None, actions: list[str]) -> None:
    verdict = look(about, MONDAY, done=TAKEN_UP, said=said)
    done, told = TAKEN_UP | done_by(verdict), said_after(verdict, MONDAY, said)

    assert summary(verdict) == actions
    assert summary(look(about, MONDAY + HOUR, done=done, said=told)) == []


@pytest.mark.parametrize(
    "about",
    [
        pytest.param(offered(), id="its answer was deleted"),
        pytest.param(offered(closed_at=MONDAY), id="its answer was deleted, and it was closed"),
        pytest.param(answered(waiting_since=MONDAY), id="it became a draft, and is ready again"),
    ],
)
def test_what_was_answered_stays_so(about: Contribution) -> None:
    done = TAKEN_UP | done_by(look(answered(), FRIDAY + 4 * HOUR, done=TAKEN_UP))
    verdict = look(about, MONDAY + 48 * HOUR, done=done)

    assert (verdict.outcome, verdict.actions) == ("pass", ())
    assert "answered before" in verdict.reason


@pytest.mark.parametrize("by", [ADA, BOB, Person(name="Eve", github="eve"), None], ids=str)
@pytest.mark.parametrize(
    ("at", "is_missed"),
    [
        pytest.param(FRIDAY, False, id="at once"),
        pytest.param(MONDAY, False, id="at the promised time"),
        pytest.param(MONDAY + MINUTE, True, id="a minute after it"),
    ],
)
def test_closing_ends_the_checks(by: Person | None, at: datetime, is_missed: bool) -> None:
    about = offered(closed_at=at, closed_by=by, ticket="SE-7")
    verdict = look(about, MONDAY + HOUR, done=TAKEN_UP)
    line = line_of(verdict)

    assert summary(verdict) == [f"record {KEY} closed"]
    assert (line.closed, line.is_missed, line.answered_at, line.took) == (True, is_missed, None, None)
    assert summary(look(about, TOO_LATE, done=TAKEN_UP | done_by(verdict))) == []


def test_closing_is_told_where_the_ticket_asks_for_an_answer() -> None:
    about = offered(closed_at=MONDAY + HOUR, ticket="SE-7")
    verdict = look(about, MONDAY + 2 * HOUR, done=ESCALATED, said=ASKING)
    told = said_after(verdict, MONDAY + 2 * HOUR, ASKING)

    assert summary(verdict) == [f"record {KEY} closed", EDIT]
    assert summary(look(about, TOO_LATE, done=ESCALATED | done_by(verdict), said=told)) == []


@pytest.mark.parametrize(
    ("closed_at", "occasion"),
    [
        pytest.param(FRIDAY + 3 * HOUR - MINUTE, "closed", id="closed a minute before the answer"),
        pytest.param(FRIDAY + 3 * HOUR, "answered", id="closed with the answer"),
        pytest.param(FRIDAY + 3 * HOUR + MINUTE, "answered", id="closed a minute after the answer"),
    ],
)
def test_what_came_first_counts(closed_at: datetime, occasion: str) -> None:
    assert summary(look(answered(closed_at=closed_at), MONDAY, done=TAKEN_UP)) == [f"record {KEY} {occasion}"]


def test_what_is_opened_again_is_not_taken_up_twice() -> None:
    closed = look(offered(closed_at=FRIDAY + HOUR), FRIDAY + 2 * HOUR, done=TAKEN_UP)

    assert summary(look(offered(), FRIDAY + 3 * HOUR, done=TAKEN_UP | done_by(closed))) == [AT_REMINDER]


def test_what_is_opened_again_past_the_promise_asks_for_its_answer_again() -> None:
    closed = Said(occasion="answer", state="closed", at=MONDAY, turns=1)

    assert summary(look(offered(ticket="SE-7"), TOO_LATE, done=ESCALATED, said=closed)) == [LINK, COMMENT]


@pytest.mark.parametrize("fact", ["author", "is_draft", "answers", "closed_at", "waiting_since"])
def test_nothing_is_concluded_from_what_is_unknown(fact: str) -> None:
    known = {name: value for name, value in offered().known().items() if name != fact}

    with pytest.raises(Unknown, match=fact):
        look(Contribution(**known), FRIDAY)


def test_the_life_of_a_contribution() -> None:
    asked = offered(ticket="SE-7")
    steps: list[tuple[datetime, Contribution, list[str]]] = [
        (FRIDAY, offered(), [CREATE, TOLD, AT_REMINDER]),
        (FRIDAY + MINUTE, asked, [LINK, AT_REMINDER]),
        (REMINDER, asked, [REMINDED, AT_PROMISE]),
        (REMINDER + MINUTE, asked, [AT_PROMISE]),
        (MONDAY, asked, [*MISSED, COMMENT]),
        (MONDAY + MINUTE, asked, []),
        (MONDAY + HOUR, answered(answer(at=MONDAY + HOUR), ticket="SE-7"), [f"record {KEY} answered", EDIT]),
        (MONDAY + 2 * HOUR, answered(answer(at=MONDAY + HOUR), ticket="SE-7", closed_at=MONDAY + 2 * HOUR), []),
    ]
    done: frozenset[str] = frozenset()
    said: Said | None = None

    for now, about, actions in steps:
        verdict = look(about, now, done=done, said=said)
        done, said = done | done_by(verdict), said_after(verdict, now, said)
        assert summary(verdict) == actions


LINKED = "Fix the docs (https://github.example/acme/tool/pull/12)"
PLACE = (
    "Crafty, rule community-ack. Anyone in the team can answer, on the pull request "
    "(https://github.example/acme/tool/pull/12)."
)
SINCE = "Friday 6 November at 15:00 (Europe/Paris)"
UNTIL = "Monday 9 November at 15:00 (Europe/Paris)"


@pytest.mark.parametrize(
    ("about", "now", "within", "text"),
    [
        pytest.param(
            offered(),
            FRIDAY,
            cell_of_lee(),
            f"Lee, could you answer Ada? Their pull request {LINKED} is new, and the team hopes to answer by {UNTIL}. "
            "A few kind words are enough for now.",
            id="at once",
        ),
        pytest.param(
            offered(author=None),
            FRIDAY,
            replace(cell(), roles={}),
            f"Hello, could you answer Somebody? Their pull request {LINKED} is new, and the team hopes to answer by "
            f"{UNTIL}. A few kind words are enough for now.",
            id="from an account that is gone, to a channel",
        ),
        pytest.param(
            offered(),
            REMINDER,
            cell_of_lee(),
            f"Lee, could you answer Ada, or find somebody who can? {LINKED} has waited since {SINCE}, and the team "
            f"hopes to answer by {UNTIL}. A few kind words are enough for now.",
            id="the reminder",
        ),
        pytest.param(
            offered(),
            MONDAY,
            cell_of_lee(),
            f"Lee, Fay and Finn, could somebody answer Ada? {LINKED} has waited since {SINCE}, longer than the team "
            "hopes for. A few kind words are enough for now.",
            id="in the channel",
        ),
        pytest.param(
            offered(),
            MONDAY,
            replace(cell(), roles={}, duties=()),
            f"Hello, could somebody answer Ada? {LINKED} has waited since {SINCE}, longer than the team hopes for. A "
            "few kind words are enough for now.",
            id="in the channel of a cell without liaison and firefighters",
        ),
    ],
)
def test_what_people_read_in_chat(about: Contribution, now: datetime, within: Cell, text: str) -> None:
    notify = the(Notify, look(about, now, within=within))

    assert to_plain(notify.message) == f"{text}\n{PLACE}"


@pytest.mark.parametrize(
    ("about", "said", "kind", "text"),
    [
        pytest.param(
            offered(ticket="SE-7"),
            None,
            Comment,
            f"Lee, Fay and Finn, could somebody answer Ada? {LINKED} has waited since {SINCE}, longer than the team "
            "hopes for. A few kind words are enough for now.",
            id="the promise passed",
        ),
        pytest.param(
            answered(ticket="SE-7"),
            None,
            Comment,
            f"Bob answered {LINKED} after 3 hours. Thank you! What is left to do about it can be noted here.",
            id="answered",
        ),
        pytest.param(
            offered(ticket="SE-7", closed_at=MONDAY),
            ASKING,
            EditComment,
            f"{LINKED} was closed, so its answer is not needed any more. Thank you!",
            id="closed",
        ),
    ],
)
def test_what_stands_on_the_ticket(about: Contribution, said: Said | None, kind: type[Action], text: str) -> None:
    comment = the(kind, look(about, MONDAY, done=ESCALATED, said=said))

    assert to_plain(comment.message) == f"{text}\nCrafty, rule community-ack. On SE-7: “@crafty why”."


def test_words_from_outside_mention_nobody() -> None:
    about = offered(title="@all see [this](https://evil.example)", author=Person(name="@channel", github="x"))
    chat = to_mattermost(the(Notify, look(about, MONDAY)).message)

    assert "@all" not in chat
    assert "@channel" not in chat
    assert "](https://evil.example)" not in chat


people = st.sampled_from([None, ANN, BOB, ADA, LEE, Person(name="Ö{who}@all", github="renovate[bot]")])
moments = st.datetimes(datetime(2026, 11, 2), datetime(2026, 11, 20), timezones=st.just(UTC))  # noqa: DTZ001
answers = st.builds(Answer, at=moments, by=people, is_member=st.booleans(), is_bot=st.booleans())
kinds: st.SearchStrategy[Kind] = st.sampled_from(["pull request", "merge request", "issue", "topic", "ticket"])
contributions = st.builds(
    offered,
    kind=kinds,
    title=st.text(),
    author=people,
    is_draft=st.booleans(),
    closed_at=st.none() | moments,
    answers=st.lists(answers, max_size=3).map(lambda some: tuple(sorted(some, key=lambda one: one.at))),
    ticket=st.sampled_from([None, "SE-7"]),
)
sayings = st.none() | st.sampled_from(["missing answer", "answered", "closed"]).map(
    lambda state: Said(occasion="answer", state=state, at=FRIDAY)
)
pasts = st.sampled_from([frozenset(), TAKEN_UP, ESCALATED])


@given(about=contributions, now=moments, said=sayings, done=pasts, count_weekends=st.booleans())
def test_whatever_the_facts(
    about: Contribution, now: datetime, said: Said | None, done: frozenset[str], count_weekends: bool
) -> None:
    verdict = look(about, now, said=said, done=done, count_weekends=count_weekends)
    keys = [key_of(action) for action in verdict.actions]

    assert verdict.reason
    assert verdict.outcome != "pass" or not verdict.actions
    assert len(set(keys)) == len(keys)
    for text in messages(verdict):
        assert length(text) <= 60 + len(about.title.split())


@given(about=contributions, now=moments, said=sayings, done=pasts)
def test_nothing_is_done_twice(about: Contribution, now: datetime, said: Said | None, done: frozenset[str]) -> None:
    first = look(about, now, said=said, done=done)
    second = look(about, now, said=said_after(first, now, said), done=done | done_by(first))

    assert [action.kind for action in second.actions if action.kind != "recheck"] == []
