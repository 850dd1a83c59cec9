"""Every command by whoever may give it and whoever may not, what is answered once, and what people read."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.actions import ASKING, Comment, Reply
from service.commitments import Commitment
from service.contributions import Answer, Contribution, Note
from service.engine import evaluate
from service.events import CommentPosted, ContributionNoted, Event, TicketChanged
from service.facts import ABSENT, Duty, Person, Remark, Said
from service.rules._base import Verdict, signed
from service.rules.answers import RULE
from service.situation import Situation, Subject, Told
from service.texts import Checklist, Message, paragraph, to_discourse, to_plain, to_wiki
from tests.builders import (
    ANN,
    BOB,
    ELI,
    FAY,
    SAM,
    book,
    cell,
    length,
    messages,
    plain,
    said_after,
    summary,
    team,
    ticket,
    verdict_of,
    wall,
)

NOW = wall("2026-11-04 12:00")
MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)

CRAFTY = Person(name="Crafty", jira="acc-crafty", discourse="acc-crafty")
ZOE = Person(name="Zoe", jira="acc-zoe")
SMALL = "\nCrafty, rule answers. On SE-1: “@crafty why”."
SMALL_IN_TOPIC = "\nCrafty, rule answers. On this topic: “@crafty why”."
EXPLAIN = "@crafty: <spillover>The review was late.</spillover>"
PLAN = "@crafty plan 1h 30m for reviewing this task"


def wrote(by: Person | None, text: str, number: int = 100, at: datetime = NOW - MINUTE) -> Remark:
    return Remark(id=str(number), at=at, author=by, text=text)


def signed_by(rule: str, markup: bool = False) -> Remark:
    """What Crafty wrote on the ticket for another rule."""
    message = signed(rule, "SE-1", paragraph("Sam, could you look at this?"))
    return wrote(CRAFTY, to_wiki(message) if markup else to_plain(message), 1, NOW - 2 * MINUTE)


def look(*remarks: Remark, said: Said | None = None, facts: dict[str, Any] | None = None, **around: Any) -> Verdict:
    about = ticket(**{**(facts or {}), "remarks": remarks})
    return verdict_of(RULE, about, NOW, said=said, **around)


def answer(*remarks: Remark, **around: Any) -> str | None:
    """What stands in the comment, without its last line; None where there is none."""
    text = "".join(plain(look(*remarks, **around)))
    return text.removesuffix(SMALL) if text else None


def told(rule: str, minutes: int = 5, outcome: str = "pass", reason: str = "all is well") -> Told:
    return Told(rule=rule, at=NOW - minutes * MINUTE, outcome=outcome, reason=reason)


def spilled(assignee_id: str) -> Commitment:
    """What the ledger says of a ticket that spilled over, by whose it was."""
    return Commitment(
        ticket="SE-1",
        summary="Fix the login",
        url="",
        cell="Serenity",
        sprint=41,
        sprint_name="SE Sprint 41",
        closed_at=NOW,
        status="In Progress",
        is_spillover=True,
        assignee_id=assignee_id,
    )


LATE = "no late addition waits for you on this ticket."
SAM_ACCEPTS = "Sam can accept a late addition, with the same words in a comment here."
TEAM_SNOOZES = "anybody of the team Serenity can put this off, with the same words in a comment."
THEY_EXPLAIN = "thank you. The reason counts once one of these people writes it here: Ann and Sam."
THEY_HELP = "thank you. Crafty does not follow this ticket as one at risk; these people can help now: Fay and Finn."
BOB_HURRIES = "the reviewer can say that it is urgent, with the same words here: Bob."
BOB_PLANS = "the reviewer can plan that time, with the same words here: Bob."
QUIET = "quiet here until Friday 6 November at 11:59 (Europe/Paris). “@crafty snooze 0d” ends that sooner."
WORDS = "These work: “@crafty help”, “@crafty why”, “@crafty snooze 2d”, “@crafty accept”."


@pytest.mark.parametrize(
    ("by", "text", "expected"),
    [
        pytest.param(ANN, "@crafty why", "Ann, no rule has looked at this ticket yet.", id="why, by a member"),
        pytest.param(ZOE, "@crafty why", "Zoe, no rule has looked at this ticket yet.", id="why, by a stranger"),
        pytest.param(
            None, "@crafty why", "Hello, no rule has looked at this ticket yet.", id="why, by nobody knows whom"
        ),
        pytest.param(ELI, "@crafty snooze 2d", f"Eli, {QUIET}", id="snooze, by a member"),
        pytest.param(ZOE, "@crafty snooze 2d", f"Zoe, {TEAM_SNOOZES}", id="snooze, by a stranger"),
        pytest.param(None, "@crafty snooze 2d", f"Hello, {TEAM_SNOOZES}", id="snooze, by nobody knows whom"),
        pytest.param(ELI, "@crafty snooze 0d", "Eli, Crafty follows this ticket again.", id="snooze ended"),
        pytest.param(SAM, "@crafty accept", f"Sam, all is well: {LATE}", id="accept, by the planning manager"),
        pytest.param(ANN, "@crafty accept", f"Ann, {SAM_ACCEPTS}", id="accept, by a member"),
        pytest.param(ZOE, "@crafty accept", f"Zoe, {SAM_ACCEPTS}", id="accept, by a stranger"),
        pytest.param(ANN, EXPLAIN, None, id="spillover, by the assignee"),
        pytest.param(SAM, EXPLAIN, None, id="spillover, by a role holder"),
        pytest.param(FAY, EXPLAIN, None, id="spillover, by a firefighter"),
        pytest.param(BOB, EXPLAIN, f"Bob, {THEY_EXPLAIN}", id="spillover, by the reviewer"),
        pytest.param(ZOE, EXPLAIN, f"Zoe, {THEY_EXPLAIN}", id="spillover, by a stranger"),
        pytest.param(BOB, "@crafty urgent", f"Bob, {THEY_HELP}", id="urgent, by the reviewer"),
        pytest.param(ANN, "@crafty urgent", f"Ann, {BOB_HURRIES}", id="urgent, by the assignee"),
        pytest.param(
            BOB, PLAN, "Bob, thank you! Planned: 1 hour 30 minutes for reviewing.", id="plan, by the reviewer"
        ),
        pytest.param(ANN, PLAN, f"Ann, {BOB_PLANS}", id="plan, by the assignee"),
        pytest.param(ELI, "@crafty dance", f"Eli, Crafty does not understand “dance”. {WORDS}", id="an unknown word"),
        pytest.param(ZOE, "@crafty", f"Zoe, Crafty listens. {WORDS}", id="no word at all"),
        pytest.param(ANN, "@bob why", None, id="a question to somebody else"),
        pytest.param(CRAFTY, "@crafty why", None, id="Crafty itself"),
    ],
)
def test_who_is_answered_what(by: Person | None, text: str, expected: str | None) -> None:
    assert answer(wrote(by, text)) == expected


def test_help_names_every_word() -> None:
    text = answer(wrote(ZOE, "@crafty help")) or ""

    assert text.splitlines() == [
        "Zoe, these words work in a comment on this ticket.",
        "[x] “@crafty why”: what the rules concluded here",
        "[x] “@crafty snooze 2d”: the team wants it quiet here for so long; hours (h) and weeks (w) work too",
        "[x] “@crafty accept”: the sprint planning manager accepts a late addition to a sprint",
        "[x] “@crafty: <spillover>reason</spillover>”: the assignee says why it did not fit into the sprint",
        "[x] “@crafty urgent”: the reviewer says that it cannot wait",
        "[x] “@crafty plan 1h 30m for reviewing”: the reviewer plans the time",
    ]


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ("1m", "1 minute"),
        ("59m", "59 minutes"),
        ("60m", "1 hour"),
        ("61m", "1 hour 1 minute"),
        ("2h", "2 hours"),
        ("0m", "no time"),
    ],
)
def test_a_planned_time_in_words(span: str, words: str) -> None:
    planned = answer(wrote(BOB, f"@crafty plan {span} for reviewing"))

    assert planned == f"Bob, thank you! Planned: {words} for reviewing."


@pytest.mark.parametrize("markup", [False, True])
@pytest.mark.parametrize(
    ("by", "text", "rule"),
    [
        pytest.param(SAM, "@crafty accept", "task-insertion", id="an acceptance"),
        pytest.param(BOB, "@crafty urgent", "spillover", id="an urgent ticket at risk"),
    ],
)
def test_what_another_rule_answers_is_left_to_it(by: Person, text: str, rule: str, markup: bool) -> None:
    verdict = look(signed_by(rule, markup), wrote(by, text))

    assert (verdict.outcome, verdict.actions) == ("pass", ())
    assert "another rule answers" in verdict.reason


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(signed_by("green-ticket"), id="Crafty speaks of something else"),
        pytest.param(wrote(ANN, "Crafty, rule task-insertion. Who knows?", 1), id="somebody quotes Crafty"),
    ],
)
def test_what_no_rule_answers_is_answered_here(standing: Remark) -> None:
    assert answer(standing, wrote(SAM, "@crafty accept")) == f"Sam, all is well: {LATE}"


@pytest.mark.parametrize(
    ("facts", "by", "text", "expected"),
    [
        pytest.param(
            {"reviewer": None},
            ANN,
            PLAN,
            "Ann, the reviewer can plan that time, with the same words here: nobody is named yet.",
            id="no reviewer",
        ),
        pytest.param(
            {"reviewer": ANN},
            ANN,
            "@crafty urgent",
            "Ann, the reviewer can say that it is urgent, with the same words here: nobody is named yet.",
            id="the assignee is no reviewer",
        ),
        pytest.param(
            {"core_committer": ELI},
            ELI,
            PLAN.replace("1h 30m", "2h"),
            "Eli, thank you! Planned: 2 hours for reviewing.",
            id="a core committer is a reviewer",
        ),
    ],
)
def test_who_reviews(facts: dict[str, Any], by: Person, text: str, expected: str) -> None:
    assert answer(wrote(by, text), facts=facts) == expected


@pytest.mark.parametrize(
    ("text", "by", "expected"),
    [
        pytest.param(
            "@crafty accept",
            ANN,
            "Ann, the sprint planning manager can accept a late addition, with the same words in a comment here.",
            id="accept",
        ),
        pytest.param(
            EXPLAIN,
            ANN,
            "Ann, thank you. The reason counts once the ticket has an assignee who writes it here.",
            id="spillover",
        ),
        pytest.param(
            "@crafty urgent",
            BOB,
            "Bob, thank you. Crafty does not follow this ticket as one at risk; the team's channel can help.",
            id="urgent",
        ),
    ],
)
def test_where_nobody_has_a_role(text: str, by: Person, expected: str) -> None:
    nobody = replace(cell(), roles={}, duties=())

    assert answer(wrote(by, text), facts={"assignee": None}, within=nobody) == expected


@pytest.mark.parametrize(("by", "outcome"), [(ANN, "pass"), (ELI, "pass"), (BOB, "act"), (ZOE, "act")])
def test_a_reason_by_whose_ticket_it_was_at_the_close_needs_no_answer(by: Person, outcome: str) -> None:
    lines = {41: spilled(assignee_id="ann"), 42: spilled(assignee_id="")}
    verdict = look(wrote(by, EXPLAIN), facts={"assignee": ELI}, around={"commitments": lines})

    assert verdict.outcome == outcome


@pytest.mark.parametrize(("by", "outcome"), [(ELI, "pass"), (BOB, "act")])
def test_a_reason_by_whoever_is_on_a_rotation_needs_no_answer(by: Person, outcome: str) -> None:
    next_week = replace(cell(), duties=(Duty("firefighter", (ELI,), 7, 13),))

    assert look(wrote(by, EXPLAIN), within=next_week).outcome == outcome


REASONS = (
    told("spillover", 1, "act", "SE-1 is in Backlog"),
    told("answers", 2),
    told("green-ticket", 3),
    told("a", 4),
    told("b", 5),
    told("missing-reviewer", 1440, "wait", "still in the grace period"),
    told("c", 2000),
)


def test_why_lists_the_latest_five_conclusions() -> None:
    text = answer(wrote(ANN, "@crafty why"), around={"told": REASONS[::-1]}) or ""

    assert text.splitlines() == [
        "Ann, this is what the rules concluded here. A tick means that nothing is needed.",
        "[ ] spillover, Wednesday 4 November at 11:59 (Europe/Paris): SE-1 is in Backlog",
        "[x] green-ticket, Wednesday 4 November at 11:57 (Europe/Paris): all is well",
        "[x] a, Wednesday 4 November at 11:56 (Europe/Paris): all is well",
        "[x] b, Wednesday 4 November at 11:55 (Europe/Paris): all is well",
        "[ ] missing-reviewer, Tuesday 3 November at 12:00 (Europe/Paris): still in the grace period",
    ]


def test_crafty_does_not_explain_itself() -> None:
    assert answer(wrote(ANN, "@crafty why"), around={"told": (told("answers"),)}) == (
        "Ann, no rule has looked at this ticket yet."
    )


def test_one_comment_answers_everybody() -> None:
    verdict = look(wrote(ANN, "@crafty why"), wrote(BOB, "Fine.", 101), wrote(ELI, f"@crafty dance\n{PLAN}", 102))

    assert summary(verdict) == ["comment SE-1 remark-102"]
    assert plain(verdict)[0].splitlines() == [
        "Ann, no rule has looked at this ticket yet.",
        f"Eli, Crafty does not understand “dance”. {WORDS}",
        f"Eli, {BOB_PLANS}",
        SMALL.strip(),
    ]
    assert verdict.reason == "Ann spoke to Crafty (why), Eli spoke to Crafty (unknown), Eli spoke to Crafty (plan)"


def test_the_same_thing_said_twice_is_answered_once() -> None:
    remarks = (wrote(ANN, "@crafty snooze 9d"), wrote(ANN, "@crafty snooze 2d", 101), wrote(ANN, "@crafty sing", 102))

    assert answer(*remarks, wrote(ANN, "@crafty dance", 103)) == (
        f"Ann, {QUIET}\nAnn, Crafty does not understand “dance”. {WORDS}"
    )


def test_whoever_asked_is_notified() -> None:
    (comment,) = look(wrote(ANN, "@crafty why")).actions

    assert isinstance(comment, Comment)
    assert comment.message.blocks[0] == paragraph(
        "{who}, no rule has looked at this {what} yet.", who=ANN, what="ticket"
    )
    assert not comment.state.startswith(ASKING)


@pytest.mark.parametrize(
    ("number", "occasion", "outcome"),
    [
        pytest.param(99, "remark-100", "pass", id="older than the one that was answered"),
        pytest.param(100, "remark-100", "pass", id="the one that was answered"),
        pytest.param(101, "remark-100", "act", id="newer than the one that was answered"),
        pytest.param(1000, "remark-999", "act", id="a number with more digits"),
    ],
)
def test_each_remark_is_answered_once(number: int, occasion: str, outcome: str) -> None:
    before = Said(occasion=occasion, state="answered", at=NOW)

    assert look(wrote(ANN, "@crafty why", number), said=before).outcome == outcome


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        pytest.param(NOW - MINUTE, "pass", id="a minute before the answer"),
        pytest.param(NOW, "pass", id="at the answer"),
        pytest.param(NOW + MINUTE, "act", id="a minute after the answer"),
    ],
)
def test_where_ids_are_no_numbers_the_moment_counts(at: datetime, outcome: str) -> None:
    remark = Remark(id="b", at=at, author=ANN, text="@crafty why")

    assert look(remark, said=Said(occasion="remark-a", state="answered", at=NOW)).outcome == outcome


@pytest.mark.parametrize(
    ("age", "outcome"),
    [
        pytest.param(WEEK - MINUTE, "act", id="a minute younger than that"),
        pytest.param(WEEK, "act", id="as old as that"),
        pytest.param(WEEK + MINUTE, "pass", id="a minute older than that"),
    ],
)
def test_old_remarks_are_let_be(age: timedelta, outcome: str) -> None:
    assert look(wrote(ANN, "@crafty why", at=NOW - age)).outcome == outcome
    assert in_topic(posted(ANN, "@crafty why", at=NOW - age)).outcome == outcome


def test_a_snooze_that_is_over_by_now_is_told_as_such() -> None:
    over, still = (wrote(ANN, "@crafty snooze 1h", at=NOW - timedelta(minutes=minutes)) for minutes in (60, 59))

    assert answer(over) == "Ann, Crafty follows this ticket again."
    assert "quiet here until Wednesday 4 November at 12:01" in (answer(still) or "")


# What happens before anybody looks


def on_event(event: Event, about: Subject) -> str:
    """What the rule concludes when a delivery comes in, as its outcome and reason."""
    situation = Situation(about, bot=frozenset({"acc-crafty"}))
    (decision,) = evaluate(event, situation, team=team(), book=book(), now=NOW, only="answers")
    return f"{decision.outcome}: {decision.reason}"


UNKNOWN = "wait: not known yet: the ticket's remarks"
SILENCE = "pass: nobody spoke to Crafty"


@pytest.mark.parametrize(
    ("text", "remarks", "expected"),
    [
        pytest.param("I agree", ABSENT, SILENCE, id="a comment to nobody"),
        pytest.param("[~acc-bob] why?", ABSENT, SILENCE, id="a comment to Bob"),
        pytest.param("[~acc-crafty] why?", ABSENT, UNKNOWN, id="a comment to Crafty's account"),
        pytest.param("@crafty dance", ABSENT, UNKNOWN, id="an unknown word"),
        pytest.param("@crafty why", (), "pass: nobody waits for an answer", id="a comment that was deleted since"),
    ],
)
def test_a_comment_is_worth_a_look_where_it_speaks_to_crafty(text: str, remarks: Any, expected: str) -> None:
    about = ticket(remarks=remarks)

    assert on_event(CommentPosted(at=NOW, comment="100", ticket=about, text=text), about) == expected


@pytest.mark.parametrize(
    ("remarks", "expected"),
    [
        pytest.param(ABSENT, SILENCE, id="an edit"),
        pytest.param((), "pass: nobody waits for an answer", id="a new ticket"),
        pytest.param((wrote(ANN, "@crafty why"),), "act: Ann spoke to Crafty (why)", id="an edit with all comments"),
    ],
)
def test_an_edit_is_worth_a_look_where_its_remarks_are_known(remarks: Any, expected: str) -> None:
    about = ticket(remarks=remarks)

    assert on_event(TicketChanged(at=NOW, ticket=about), about) == expected


# The forum


def posted(by: Person | None, text: str, post: int = 2, at: datetime = NOW - MINUTE, is_bot: bool = False) -> Answer:
    return Answer(at=at, by=by, id=f"post-{post}", is_bot=is_bot, text=text)


def topic(*answers: Answer, **facts: Any) -> Contribution:
    usual: dict[str, Any] = {"key": "topic:123", "place": 7, "kind": "topic", "answers": answers}
    return Contribution(**{**usual, **facts})


def in_topic(*answers: Answer, **around: Any) -> Verdict:
    return verdict_of(RULE, topic(*answers), NOW, around=around)


def replies(verdict: Verdict) -> list[Message]:
    return [action.message for action in verdict.actions if isinstance(action, Reply)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "@crafty help",
            "Zoe, “@crafty why” works in a post here: it tells what the rules concluded about this topic.",
            id="help",
        ),
        pytest.param("@crafty why", "Zoe, no rule has looked at this topic yet.", id="why"),
        pytest.param(
            "@crafty dance",
            "Zoe, Crafty does not understand “dance”. These work here: “@crafty help”, “@crafty why”.",
            id="an unknown word",
        ),
        pytest.param(
            "@crafty", "Zoe, Crafty listens. These work here: “@crafty help”, “@crafty why”.", id="no word at all"
        ),
        *(
            pytest.param(
                f"@crafty {words}",
                f"Zoe, “{words.split()[0]}” works in the comments of Jira tickets. Here “@crafty why” does.",
                id=words,
            )
            for words in ("accept", "urgent", "snooze 2d", "plan 2h for reviewing")
        ),
    ],
)
def test_what_a_post_is_answered(text: str, expected: str) -> None:
    verdict = in_topic(posted(ZOE, text))

    assert summary(verdict) == ["reply topic 123 post-2"]
    assert [to_plain(message) for message in replies(verdict)] == [expected + SMALL_IN_TOPIC]


def test_why_in_a_topic_lists_the_conclusions() -> None:
    reason = told("community-ack", 1, "wait", "waits for an answer since @all")
    (message,) = replies(in_topic(posted(None, "@crafty why"), told=(reason,)))

    assert to_plain(message).splitlines()[:2] == [
        "Hello, this is what the rules concluded here. A tick means that nothing is needed.",
        "[ ] community-ack, Wednesday 4 November at 11:59 (Europe/Paris): waits for an answer since @all",
    ]
    assert "@all" not in to_discourse(message)


def test_each_post_gets_one_reply() -> None:
    posts = (posted(ZOE, "@crafty why\n@crafty help\n@crafty why"), posted(ANN, ""), posted(ANN, "@crafty why", 4))
    verdict = in_topic(*posts)

    assert summary(verdict) == ["reply topic 123 post-2", "reply topic 123 post-4"]
    assert [action.post for action in verdict.actions if isinstance(action, Reply)] == [2, 4]

    done = frozenset(action.key("answers", "topic:123") for action in verdict.actions[:1])
    assert summary(in_topic(*posts, done=done)) == ["reply topic 123 post-4"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(posted(ZOE, ""), id="a post that speaks to nobody"),
        pytest.param(posted(CRAFTY, "@crafty why"), id="Crafty itself"),
        pytest.param(posted(ZOE, "@crafty why", is_bot=True), id="another bot"),
    ],
)
def test_a_post_without_a_reply(answer: Answer) -> None:
    verdict = in_topic(answer)

    assert (verdict.outcome, verdict.reason, verdict.actions) == ("pass", "nobody waits for an answer", ())


@pytest.mark.parametrize(
    ("key", "kind"),
    [("github:open/source#12", "pull request"), ("gitlab:open/source!3", "merge request"), ("CONTRIB-1", "ticket")],
)
def test_crafty_is_silent_elsewhere(key: str, kind: str) -> None:
    about = topic(posted(ZOE, "@crafty why"), key=key, kind=kind, place="open/source")
    verdict = verdict_of(RULE, about, NOW)

    assert (verdict.outcome, verdict.actions) == ("pass", ())


@pytest.mark.parametrize(
    ("about", "text", "expected"),
    [
        pytest.param(topic(answers=ABSENT), "", SILENCE, id="a post that speaks to nobody"),
        pytest.param(
            topic(answers=ABSENT), "@crafty why", "wait: not known yet: the contribution's answers", id="a post alone"
        ),
        pytest.param(
            topic(posted(ZOE, "@crafty why")),
            "@crafty why",
            "act: somebody spoke to Crafty in this topic",
            id="a post with its topic",
        ),
    ],
)
def test_a_post_is_worth_a_look_where_it_speaks_to_crafty(about: Contribution, text: str, expected: str) -> None:
    note = Note(what="answered", at=NOW, by=ZOE, id="post-2", text=text)

    assert on_event(ContributionNoted(at=NOW, contribution=about, notes=(note,)), about) == expected


# Whatever people write

WORDS_SAID = [
    "help",
    "why",
    "accept",
    "urgent",
    "snooze 2d",
    "plan 1h for reviewing",
    "<spillover>ill</spillover>",
    "x",
]
people = st.sampled_from([None, ANN, BOB, ELI, SAM, ZOE, CRAFTY, Person(name="Ö {who} [~bob] @all", jira="x")])
sayings = st.sampled_from([f"@crafty {word}" for word in WORDS_SAID]) | st.text() | st.text().map("@crafty ".__add__)
remarks = st.lists(st.tuples(people, sayings), max_size=3).map(
    lambda said: tuple(wrote(by, text, 100 + number) for number, (by, text) in enumerate(said))
)
reasons = st.lists(st.builds(told, st.sampled_from(["a", "answers"]), reason=st.text()), max_size=7).map(tuple)


@given(said=remarks, why=reasons)
def test_whatever_people_write(said: tuple[Remark, ...], why: tuple[Told, ...]) -> None:
    verdict = look(*said, around={"told": why})

    assert verdict.outcome in {"act", "pass"}
    assert len(verdict.actions) <= 1
    for message in messages(verdict):
        lists = [block for block in message.blocks if isinstance(block, Checklist)]
        assert all(len(block.items) <= 6 for block in lists)


@given(by=people, text=sayings)
def test_an_answer_is_short(by: Person | None, text: str) -> None:
    for message in messages(look(wrote(by, text))):
        assert length(message) <= 60


@given(said=remarks)
def test_nobody_is_answered_twice(said: tuple[Remark, ...]) -> None:
    first = look(*said)
    second = look(*said, said=said_after(first, NOW))

    assert second.actions == ()
    assert second.outcome == "pass"


@given(text=sayings)
def test_crafty_never_answers_itself(text: str) -> None:
    assert look(wrote(CRAFTY, text)).actions == ()
    assert in_topic(posted(CRAFTY, text)).actions == ()
