"""What has to be seen once the story is over, each effect of each rule."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from service.demo.story.checks import (
    Check,
    admins_have_nothing_to_mend,
    got_messages,
    got_posts,
    has_comment,
    has_comments,
    has_internal_ticket,
    has_labels,
    has_lines,
    has_replies,
    has_shares,
    is_answered,
    is_counted,
    is_in,
    is_let_be,
    is_ranked,
    is_reviewed_by,
    is_told,
    made_tickets,
    nobody_gets_more_a_day_than,
    nobody_is_disturbed,
    nothing_is_given_up,
    spilled_over,
    was_ready,
    webhooks_are_accepted,
    wrote_comments,
)
from service.demo.story.scenes import NEXT, STRETCH
from service.demo.story.seen import Seen

MARIA: Final = "github:openlearn/gradebook#1"
JOAO: Final = "github:openlearn/gradebook#4"
DAN: Final = "CONTRIB-1"
CARLA: Final = "topic:12"
ARMISTICE: Final = date(2026, 11, 11)

DELIVERED: Final = "Deployed & Delivered"
ACCEPTED: Final = "This ticket is accepted for Sprint 42. Thank you!"
NOTED: Final = "The reason is noted for Sprint 41. This ticket comes first in Sprint 42."

Expectation = tuple[str, *tuple[Check, ...]]

MISSING_REVIEWER: Final[tuple[Expectation, ...]] = (
    (
        "SE-102 got its reviewer: one comment, written after a working day, thanks for Bob",
        has_comment("SE-102", "missing-reviewer", "Bob reviews this ticket. Thank you!", since="Wed 04 Nov 10:00"),
    ),
    (
        "SE-108 was quiet for the two days that Nia asked for; then its comment stood there again, once",
        has_comment("SE-108", "answers", "quiet here until Wednesday 4 November at 10:00"),
        has_comment("SE-108", "missing-reviewer", "Fay, on firefighter duty, reviews this ticket now"),
    ),
    (
        "SE-108 waited for review: Fay was asked after that, and Finn in his own morning",
        is_told("fay", "Wed 04 Nov 11:00", "could you review", "SE-108"),
        is_told("finn", "Wed 04 Nov 08:00", "could you review", "SE-108"),
    ),
    (
        "SE-108 found nobody, so Fay has it, and was told",
        is_reviewed_by("SE-108", "acc-fay"),
        is_told("fay", "Wed 04 Nov 15:00", "you are the reviewer of", "SE-108"),
    ),
    (
        "SE-104 had only Nia, who is new: both firefighters were asked",
        is_told("fay", "Thu 05 Nov 15:02", "Nia is new here", "SE-104"),
        is_told("finn", "Thu 05 Nov 10:02", "Nia is new here", "SE-104"),
    ),
    (
        "SE-104 has Bob as well: one comment, which thanks both, and Nia stays its reviewer",
        has_comment(
            "SE-104", "missing-reviewer", "Nia and Bob review this ticket. Thank you!", since="Thu 05 Nov 14:02"
        ),
        is_reviewed_by("SE-104", "acc-nia"),
    ),
    (
        "SE-103 waited for review on a Friday afternoon: both firefighters were asked at once",
        is_told("fay", "Fri 06 Nov 17:02", "could you review", "SE-103"),
        is_told("finn", "Fri 06 Nov 12:02", "could you review", "SE-103"),
    ),
    (
        "SE-103 went to Finn on Monday, who has fewer such reviews; one comment, and he was told",
        is_reviewed_by("SE-103", "acc-finn"),
        is_told("finn", "Mon 09 Nov 12:02", "you are the reviewer of", "SE-103"),
        has_comment("SE-103", "missing-reviewer", "Finn, on firefighter duty", since="Fri 06 Nov 16:02"),
    ),
)

ANSWERS: Final[tuple[Expectation, ...]] = (
    (
        "Ann asked for help on SE-104, and got the list of words",
        has_comment("SE-104", "answers", "these words work", "snooze 2d", since="Thu 05 Nov 17:00"),
    ),
    (
        "Bob asked why on SE-103, and got the reasons",
        has_comment("SE-103", "answers", "what the rules concluded", "Finn on firefighter duty takes it"),
    ),
    (
        "Eli wrote a word that Crafty does not know, and got one short help",
        has_comment("SE-105", "answers", "Crafty does not understand “dance”"),
    ),
    (
        "Carla asked on the forum, and got exactly one reply",
        has_replies("poll block", 1, "@carla", "works in a post here"),
    ),
    ("The private message stayed private", has_replies("Between us", 0)),
)

COMMUNITY_ACK: Final[tuple[Expectation, ...]] = (
    (
        "Maria's pull request has one internal ticket, SE-109: Fay's, due in 14 days, with a link",
        has_internal_ticket(MARIA, "SE-109", "acc-fay", date(2026, 11, 17)),
    ),
    (
        "Lea heard of Maria in the morning, not at night, and was reminded once",
        is_told("lea", "Wed 04 Nov 08:00", "could you answer maria-makes? Their pull request"),
        is_told("lea", "Wed 04 Nov 11:00", "could you answer maria-makes, or find somebody"),
    ),
    (
        "Bob answered Maria after 14 hours, in time; SE-109 says so in one comment",
        is_answered(MARIA, "Bob", timedelta(hours=14)),
        has_comment("SE-109", "community-ack", "Bob answered Keep umlauts in the CSV after 14 hours. Thank you!"),
    ),
    (
        "João's draft counted from when it was ready: SE-111, Fay's, due 14 days later, with a link",
        has_internal_ticket(JOAO, "SE-111", "acc-fay", date(2026, 11, 19)),
        is_told("lea", "Thu 05 Nov 15:00", "could you answer joao-codes? Their pull request"),
    ),
    (
        "Lea was reminded of João, in the morning",
        is_told("lea", "Fri 06 Nov 08:00", "could you answer joao-codes, or find"),
    ),
    (
        "Nobody answered João within 24 hours: the channel heard of it, once",
        is_told("#serenity", "Fri 06 Nov 15:00", "@lea, @fay and @finn, could somebody answer joao-codes?"),
        got_posts("serenity", 1),
    ),
    (
        "Lea answered João half an hour late: counted as missed; SE-111 says so in one comment",
        is_answered(JOAO, "Lea", timedelta(hours=24, minutes=30), is_missed=True),
        has_comment("SE-111", "community-ack", "Lea answered Round grades to one digit", since="Fri 06 Nov 15:00"),
    ),
    (
        "Dan's ticket has an internal one, SE-112, with a link, and Lea was told",
        has_internal_ticket(DAN, "SE-112", "acc-fay", date(2026, 11, 23)),
        is_told("lea", "Mon 09 Nov 10:02", "could you answer Dan? Their ticket"),
    ),
    (
        "Eli answered Dan after 90 minutes, in time; SE-112 says so in one comment",
        is_answered(DAN, "Eli", timedelta(minutes=90)),
        has_comment("SE-112", "community-ack", "Eli answered The logo is blurred on phones"),
    ),
    (
        "Carla's question has an internal ticket, SE-113, with a link, and Lea was told",
        has_internal_ticket(CARLA, "SE-113", "acc-fay", date(2026, 11, 24)),
        is_told("lea", "Tue 10 Nov 10:00", "could you answer Carla? Their topic"),
    ),
    (
        "Eli answered Carla after 90 minutes, in time; SE-113 says so in one comment",
        is_answered(CARLA, "Eli", timedelta(minutes=90)),
        has_comment("SE-113", "community-ack", "Eli answered How do I install the poll block?"),
    ),
    (
        "Nothing else started a clock: not Dependabot, not Bob, not the private message",
        is_counted(MARIA, JOAO, DAN, CARLA),
        made_tickets("community", 4),
    ),
)

TASK_INSERTION: Final[tuple[Expectation, ...]] = (
    (
        "SE-110 joined the running sprint: moved to Stretch Goals, and Sam told",
        is_in("SE-110", STRETCH),
        is_told("sam", "Thu 05 Nov 12:02", "may", "SE-110", "join Sprint 41 after all?"),
    ),
    (
        "SE-110 was not accepted: one comment, which asks for nothing once the sprint is over",
        has_comment("SE-110", "task-insertion", "No acceptance is needed here any more", since="Thu 05 Nov 11:02"),
    ),
    (
        "SE-130 joined too late: moved to Stretch Goals; one comment; Sam told",
        is_in("SE-130", STRETCH),
        has_comment("SE-130", "task-insertion", "@Eli, if this ticket can't wait", since="Fri 13 Nov 11:02"),
        is_told("sam", "Fri 13 Nov 12:02", "may", "SE-130", "join Sprint 42 after all?"),
    ),
    (
        "SE-131 joined too late and replaces SE-121: Sam was asked whether it may stay",
        is_told("sam", "Fri 13 Nov 12:32", "may", "SE-131", "stay in Sprint 42?"),
    ),
    (
        "SE-131 was accepted by Sam's comment: it stayed; one comment, which says thanks",
        is_in("SE-131", NEXT),
        has_comment("SE-131", "task-insertion", ACCEPTED, since="Fri 13 Nov 11:32"),
    ),
    (
        "SE-132 joined too late: Sam told",
        is_told("sam", "Fri 13 Nov 15:02", "may", "SE-132", "join Sprint 42 after all?"),
    ),
    (
        "SE-132 was accepted by the label: moved back to Sprint 42; one comment, which says thanks",
        is_in("SE-132", NEXT),
        has_labels("SE-132", "injection-accepted"),
        has_comment("SE-132", "task-insertion", ACCEPTED, since="Fri 13 Nov 14:02"),
    ),
    (
        "SE-133 joined too late: moved to Stretch Goals; one comment",
        is_in("SE-133", STRETCH),
        has_comment("SE-133", "task-insertion", "@Eli, if this ticket can't wait", since="Fri 13 Nov 16:02"),
    ),
    (
        "Sam had had enough messages for that day: SE-133 came on Monday's list",
        is_told("sam", "Mon 16 Nov 08:00", "a few more things that came up", "SE-133"),
        is_told("sam", "Mon 16 Nov 08:00", "SE-133"),
    ),
    (
        "What joined last is on top of Stretch Goals: SE-133, SE-130, SE-110, and then what was there",
        is_ranked(STRETCH, "SE-133", "SE-130", "SE-110", "SE-90"),
    ),
)

GREEN_TICKET: Final[tuple[Expectation, ...]] = (
    (
        "SE-120 was asked about a working day ahead; one comment, which followed it and says thanks now",
        has_comment("SE-120", "green-ticket", "This ticket is ready", "Thank you!", since="Fri 13 Nov 00:00"),
        is_in("SE-120", NEXT),
    ),
    (
        "SE-120 lost its reviewer for half an hour: Eli was told, once",
        is_told("eli", "Fri 13 Nov 16:02", "once more? This is empty again: reviewer", "SE-120"),
    ),
    (
        "SE-121 was not ready at the deadline: on Monday morning it was on Sam's list and on Fay's",
        is_told("sam", "Mon 16 Nov 08:00", "could you fill in what is missing here", "SE-121"),
        is_told("fay", "Mon 16 Nov 08:00", "could you see who might use a hand", "SE-121"),
    ),
    (
        "SE-121 had nobody an hour before the start: moved to Stretch Goals; one comment; Sam told",
        is_in("SE-121", STRETCH),
        has_comment("SE-121", "green-ticket", "@Sam, please assign somebody to this ticket", since="Fri 13 Nov 00:00"),
        is_told("sam", "Mon 16 Nov 09:00", "please assign somebody", "SE-121"),
    ),
)

SPILLOVER: Final[tuple[Expectation, ...]] = (
    (
        "SE-105 was at risk and then in review: one comment, which says so, and no label",
        has_comment("SE-105", "spillover", "This ticket is not at risk any more", since="Thu 12 Nov 00:00"),
        has_labels("SE-105"),
    ),
    (
        "The firefighters had one list each of what was at risk, when their day began",
        is_told("fay", "Thu 12 Nov 08:00", "not in review yet", "SE-105", "SE-106", "SE-107"),
        is_told("finn", "Thu 12 Nov 08:00", "not in review yet", "SE-106", "SE-107"),
    ),
    (
        "Ann had not answered on SE-106 for two working days: Bob, who reviews it, was asked",
        is_told("bob", "Fri 13 Nov 08:30", "urgent?", "SE-106", "Ann was asked something there"),
    ),
    (
        "Bob called SE-106 urgent: both firefighters were told",
        is_told("fay", "Fri 13 Nov 15:45", "Bob says that it is urgent", "SE-106"),
        is_told("finn", "Fri 13 Nov 10:45", "Bob says that it is urgent", "SE-106"),
    ),
    (
        "SE-106 spilled over: label, ways out while it was at risk, and a question that ended in thanks",
        has_labels("SE-106", "spillover"),
        has_comments("SE-106", "spillover", "@Ann, could you ask for help here", f"Thank you, Ann! {NOTED}"),
        is_in("SE-106", NEXT),
    ),
    (
        "The ledger has SE-106 with the reason that Ann gave afterwards",
        spilled_over("SE-106", "In Progress", "waiting for the vendor", "Ann"),
    ),
    (
        "SE-107 spilled over: label, and no question, because Bob had said why; its one comment says thanks",
        has_labels("SE-107", "spillover"),
        has_comment("SE-107", "spillover", f"Thank you, Bob! {NOTED}", since="Thu 12 Nov 00:00"),
        is_in("SE-107", NEXT),
    ),
    (
        "The ledger has SE-107 with the reason that Bob gave before the close",
        spilled_over("SE-107", "In Progress", "The new version came late", "Bob"),
    ),
    (
        "The ledger has the five tickets that were delivered",
        *(was_ready(ticket, DELIVERED) for ticket in ("SE-101", "SE-102", "SE-103", "SE-105", "SE-108")),
    ),
    (
        "SE-104 waits for others, which is no spillover",
        was_ready("SE-104", "External Review / Blocker"),
        is_in("SE-104", NEXT),
    ),
    (
        "The ledger has nothing else of the sprint: SE-110 had left it",
        has_lines(*(f"SE-{number}" for number in range(101, 109))),
    ),
    ("Eli's and Nia's sprints were clean, Ann's and Bob's were not", has_shares(ann=0, bob=0, eli=1, nia=1)),
)

MANNERS: Final[tuple[Expectation, ...]] = (
    ("Tickets that needed nothing have no comment", is_let_be("SE-90", "SE-100", "SE-101", DAN)),
    ("There are no comments but these", wrote_comments(23)),
    (
        "There are no messages but these, 28 to people and one to the channel",
        got_messages(lea=6, fay=7, finn=6, sam=7, bob=1, eli=1),
    ),
    (
        "Nobody was disturbed at night, at the weekend or on the holiday, wherever they live",
        nobody_is_disturbed(8, 20, frozenset({ARMISTICE})),
    ),
    ("Nobody got more than five messages a day", nobody_gets_more_a_day_than(5)),
    ("Every webhook was accepted, and the one that came twice had no effect", webhooks_are_accepted(duplicates=1)),
    ("No work was given up", nothing_is_given_up),
    ("Admins have nothing to mend", admins_have_nothing_to_mend),
)

EXPECTED: Final = (*MISSING_REVIEWER, *ANSWERS, *COMMUNITY_ACK, *TASK_INSERTION, *GREEN_TICKET, *SPILLOVER, *MANNERS)


def compare(seen: Seen) -> list[tuple[str, bool]]:
    """Each expected effect in words, and whether it was seen."""
    return [(what, all(check(seen) for check in checks)) for what, *checks in EXPECTED]
