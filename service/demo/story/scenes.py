"""What people do in the two weeks, scene by scene; nothing in here is done by Crafty."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from service.demo.stage import Scenery, Stage

PARIS: Final = ZoneInfo("Europe/Paris")
PLANNED: Final = datetime(2026, 10, 28, 10, tzinfo=PARIS)
START: Final = datetime(2026, 11, 2, 9, tzinfo=PARIS)

BOARD: Final = 12
RUNNING, NEXT, STRETCH = 41, 42, 40
REPOSITORY: Final = "openlearn/gradebook"
CATEGORY: Final = 7

BACKLOG: Final = (
    ("SE-101", "Redirect after login", "acc-ann", "acc-bob", None),
    ("SE-102", "Export grades as CSV", "acc-ann", None, "SE-100"),
    ("SE-103", "Login fails on Safari", "acc-bob", None, None),
    ("SE-104", "Translate the help page", "acc-ann", "acc-nia", None),
    ("SE-105", "Search the catalogue faster", "acc-eli", "acc-bob", None),
    ("SE-106", "Send reminders by e-mail", "acc-ann", "acc-bob", None),
    ("SE-107", "Update the payment library", "acc-bob", "acc-ann", None),
)
"""Key, summary, assignee, reviewer and epic of what the running sprint has taken on."""


async def set_the_scene(before: Scenery) -> None:
    """Who there is, and what was planned in time for a sprint that has just started."""
    before.clock.now = PLANNED
    _open_accounts(before)
    await _plan_the_sprint(before)
    before.clock.now = START
    await before.jira.start_sprint(RUNNING)


def _open_accounts(before: Scenery) -> None:
    for person in before.people:
        before.jira.add_person(str(person.jira), person.name)
        before.chat.add_person(str(person.mattermost), person.name)
        if person.discourse:
            before.forum.add_person(person.discourse, person.name)
    before.forum.add_person("carla", "Carla")
    before.forum.add_person("dan", "Dan")
    before.jira.add_person("ext-dan", "Dan")


async def _plan_the_sprint(before: Scenery) -> None:
    jira = before.jira
    for number, name in ((RUNNING, "Sprint 41"), (NEXT, "Sprint 42"), (STRETCH, "Stretch Goals")):
        await jira.create_sprint(number, name, board=BOARD)
    await jira.create_issue("SE-100", "acc-eli", summary="Grades", kind="Epic", assignee="acc-eli")
    for key, summary, assignee, reviewer, epic in BACKLOG:
        await jira.create_issue(
            key,
            "acc-sam",
            sprint=RUNNING,
            summary=summary,
            assignee=assignee,
            reviewer=reviewer,
            epic=epic,
            estimate=3.0,
        )
    await jira.create_issue(
        "SE-108",
        "acc-sam",
        sprint=RUNNING,
        summary="Archive old courses",
        assignee="acc-nia",
        estimate=2.0,
        status="In Progress",
    )
    await jira.create_issue("SE-90", "acc-eli", sprint=STRETCH, summary="Try another colour", estimate=1.0)


@dataclass(frozen=True)
class Scene:
    """What happens at a moment.

    day and time: of the sprint, in Paris; tell: one line for the audience; point: the rule that does well to leave
    things alone from now on, of which the audience hears too.
    """

    day: int
    time: str
    tell: str
    happen: Callable[[Stage], Awaitable[None]]
    point: str = ""

    @property
    def at(self) -> datetime:
        hour, minute = map(int, self.time.split(":"))
        return datetime(2026, 11, 2 + self.day, hour, minute, tzinfo=PARIS)


async def _nothing(_: Stage) -> None:
    return


# The first week: reviewers


async def _nia_wants_quiet(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-108", "acc-nia", "[~crafty] snooze 2d, I talk to the firefighters tomorrow")


async def _export_is_begun(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-102", "acc-ann", "In Progress")


async def _others_are_begun(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-105", "acc-eli", "In Progress")
    await on_stage.jira.transition("SE-106", "acc-ann", "In Progress")
    await on_stage.jira.transition("SE-107", "acc-bob", "In Progress")


async def _archive_waits_for_review(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-108", "acc-nia", "Need Review")


async def _export_finds_a_reviewer(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-102", "acc-eli", reviewer="acc-bob")


async def _jira_repeats_itself(on_stage: Stage) -> None:
    await on_stage.jira.sender.redeliver(on_stage.jira.sender.deliveries[-1])


async def _archive_finds_a_reviewer(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-108", "acc-fay", reviewer="acc-fay")


async def _newcomer_reviews(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-104", "acc-ann", "Need Review")


async def _somebody_joins_the_newcomer(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-104", "acc-nia", core_committer="acc-bob")


async def _ann_asks_for_help(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-104", "acc-ann", "[~crafty] help")


async def _login_waits_for_review(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-103", "acc-bob", "Need Review")


async def _bob_asks_why(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-103", "acc-bob", "[~crafty] why?")


async def _running_sprint_grows(on_stage: Stage) -> None:
    await on_stage.jira.create_issue("SE-110", "acc-eli", summary="Show grades on phones", sprint=RUNNING)


# People from outside


async def _maria_opens_a_pull_request(on_stage: Stage) -> None:
    await on_stage.github.open_pull_request(
        REPOSITORY, "maria-makes", "Keep umlauts in the CSV", association="FIRST_TIME_CONTRIBUTOR"
    )


async def _bob_reviews_it(on_stage: Stage) -> None:
    await on_stage.github.review(REPOSITORY, 1, "bob-writes-code", "Thank you, this looks good!", verdict="approved")


async def _others_open_pull_requests(on_stage: Stage) -> None:
    await on_stage.github.open_pull_request(REPOSITORY, "dependabot[bot]", "Bump lxml from 5.3 to 5.4")
    await on_stage.github.open_pull_request(REPOSITORY, "bob-writes-code", "Tidy up the tests", association="MEMBER")
    await on_stage.github.open_pull_request(REPOSITORY, "joao-codes", "Round grades to one digit", draft=True)


async def _joao_is_ready(on_stage: Stage) -> None:
    await on_stage.github.mark_ready(REPOSITORY, 4, "joao-codes")


async def _lea_answers_joao(on_stage: Stage) -> None:
    await on_stage.github.comment(REPOSITORY, 4, "lea-says-hello", "Sorry for the wait; Ann reviews it on Monday.")


async def _dan_reports_a_bug(on_stage: Stage) -> None:
    await on_stage.jira.create_issue("CONTRIB-1", "ext-dan", summary="The logo is blurred on phones", kind="Bug")


async def _eli_answers_dan(on_stage: Stage) -> None:
    await on_stage.jira.comment("CONTRIB-1", "acc-eli", "Thank you Dan, we see it too.")


async def _forum_is_busy(on_stage: Stage) -> None:
    await on_stage.forum.private_message("carla", ["dan"], "Between us", "Please keep this to yourself.")
    await on_stage.forum.open_topic("carla", "How do I install the poll block?", "I followed the manual.", CATEGORY)


async def _eli_answers_carla(on_stage: Stage) -> None:
    await on_stage.forum.reply(topic_of(on_stage, "poll block"), "eli", "Hello Carla, which version do you have?")


async def _carla_asks_crafty(on_stage: Stage) -> None:
    await on_stage.forum.reply(topic_of(on_stage, "poll block"), "carla", "@crafty help, please")


def topic_of(on_stage: Stage, words: str) -> int:
    """The id of the topic with these words in its title."""
    return next(topic.id for topic in on_stage.forum.topics.values() if words in topic.title)


# The second week: what will not be ready, and what comes next


async def _sam_asks_ann(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-106", "acc-sam", "[~acc-ann] does this need the new mail server?")


async def _next_sprint_is_planned(on_stage: Stage) -> None:
    jira = on_stage.jira
    await jira.create_issue("SE-120", "acc-eli", summary="Import grades from a file", sprint=NEXT)
    await jira.create_issue("SE-121", "acc-sam", summary="Tidy up the old theme", sprint=NEXT)


async def _half_is_delivered(on_stage: Stage) -> None:
    for key, person in (("SE-101", "acc-ann"), ("SE-102", "acc-ann"), ("SE-108", "acc-nia")):
        await on_stage.jira.transition(key, person, "Deployed & Delivered")
    await on_stage.jira.transition("SE-104", "acc-ann", "External Review / Blocker")


async def _search_reaches_review(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-105", "acc-eli", "Need Review")


async def _bob_knows_the_reason(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-107", "acc-bob", "[~crafty]: <spillover>The new version came late</spillover>")


async def _eli_says_something_else(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-105", "acc-eli", "[~crafty] dance")


async def _import_is_made_ready(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-120", "acc-ann", estimate=3.0)
    await on_stage.jira.edit("SE-120", "acc-ann", assignee="acc-ann")
    await on_stage.jira.edit("SE-120", "acc-ann", reviewer="acc-bob")


async def _eli_adds_a_ticket(on_stage: Stage) -> None:
    await _add(on_stage, "SE-130", "acc-eli", "Colour the calendar")


async def _ann_replaces_a_ticket(on_stage: Stage) -> None:
    await _add(on_stage, "SE-131", "acc-ann", "Build the new theme")
    await on_stage.jira.link("SE-131", "replaces", "SE-121", "acc-ann")


async def _sam_accepts(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-131", "acc-sam", "[~crafty] accept")


async def _nia_adds_a_ticket(on_stage: Stage) -> None:
    await _add(on_stage, "SE-132", "acc-nia", "Back up the exam results")


async def _sam_accepts_by_label(on_stage: Stage) -> None:
    await on_stage.jira.label("SE-132", "acc-sam", add=["injection-accepted"])


async def _eli_adds_another_ticket(on_stage: Stage) -> None:
    await _add(on_stage, "SE-133", "acc-eli", "Print the calendar")


async def _add(on_stage: Stage, key: str, person: str, summary: str) -> None:
    """A ticket that is ready in every other way goes right into the next sprint."""
    await on_stage.jira.create_issue(
        key, person, summary=summary, sprint=NEXT, assignee="acc-ann", reviewer="acc-bob", estimate=2.0
    )


async def _bob_calls_it_urgent(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-106", "acc-bob", "[~crafty] urgent, the exams are near")


async def _import_loses_its_reviewer(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-120", "acc-bob", reviewer=None)


async def _import_is_ready_again(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-120", "acc-sam", reviewer="acc-fay")


async def _the_rest_is_delivered(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-103", "acc-bob", "Deployed & Delivered")
    await on_stage.jira.transition("SE-105", "acc-eli", "Deployed & Delivered")


async def _sprint_changes(on_stage: Stage) -> None:
    await on_stage.jira.close_sprint(RUNNING, "acc-sam")
    await on_stage.jira.start_sprint(NEXT)


async def _ann_gives_the_reason(on_stage: Stage) -> None:
    await on_stage.jira.comment("SE-106", "acc-ann", "[~crafty]: <spillover>waiting for the vendor</spillover>")


SCENES: Final = (
    Scene(0, "09:00", "Sprint 41 starts with eight tickets. SE-108 has been in progress for days.", _nothing),
    Scene(0, "10:00", "Nia knows that SE-108 has no reviewer, and puts Crafty off.", _nia_wants_quiet),
    Scene(1, "10:00", "Ann starts SE-102. Nobody is named to review it yet.", _export_is_begun),
    Scene(1, "11:00", "Eli, Ann and Bob start SE-105, SE-106 and SE-107; these have reviewers.", _others_are_begun),
    Scene(1, "14:00", "Nia moves SE-108 to Need Review, while it is still quiet there.", _archive_waits_for_review),
    Scene(1, "23:00", "Late at night Maria, a stranger, opens a pull request.", _maria_opens_a_pull_request),
    Scene(2, "11:30", "Eli names Bob as the reviewer of SE-102.", _export_finds_a_reviewer),
    Scene(2, "11:35", "Jira delivers that same webhook once more.", _jira_repeats_itself),
    Scene(2, "13:00", "Bob reviews Maria's pull request.", _bob_reviews_it),
    Scene(2, "15:00", "Fay takes the review of SE-108.", _archive_finds_a_reviewer),
    Scene(
        3,
        "10:00",
        "Three more pull requests: by Dependabot, by Bob, and a draft by João.",
        _others_open_pull_requests,
        point="community-ack",
    ),
    Scene(3, "11:00", "Eli puts a new ticket, SE-110, right into the running sprint.", _running_sprint_grows),
    Scene(3, "14:00", "Ann moves SE-104 to Need Review; its only reviewer is Nia, who is new.", _newcomer_reviews),
    Scene(3, "15:00", "João's draft is ready.", _joao_is_ready),
    Scene(3, "16:00", "Nia asks Bob to join her on SE-104.", _somebody_joins_the_newcomer),
    Scene(3, "17:00", "Ann wonders what one can say to Crafty.", _ann_asks_for_help),
    Scene(4, "15:30", "Nobody answered João within 24 hours. Now Lea does.", _lea_answers_joao),
    Scene(4, "16:00", "Friday afternoon: Bob moves SE-103 to Need Review without a reviewer.", _login_waits_for_review),
    Scene(7, "09:00", "Monday morning; the weekend did not count.", _nothing),
    Scene(7, "10:00", "Dan, from outside, writes a ticket in the contributions project.", _dan_reports_a_bug),
    Scene(7, "11:30", "Eli answers Dan.", _eli_answers_dan),
    Scene(7, "17:00", "Bob asks what happened to SE-103.", _bob_asks_why),
    Scene(8, "10:00", "On the forum, a private message and a public question by Carla.", _forum_is_busy),
    Scene(8, "11:30", "Eli answers Carla.", _eli_answers_carla),
    Scene(8, "12:00", "Carla speaks to Crafty.", _carla_asks_crafty),
    Scene(8, "14:30", "Sam asks Ann something on SE-106.", _sam_asks_ann),
    Scene(
        8,
        "16:00",
        "Eli and Sam plan SE-120 and SE-121 for the next sprint, in time, with fields still empty.",
        _next_sprint_is_planned,
        point="task-insertion",
    ),
    Scene(8, "17:00", "SE-101, SE-102 and SE-108 are delivered; SE-104 waits for others.", _half_is_delivered),
    Scene(9, "12:00", "Wednesday is Armistice Day, and nobody works. At midnight reviews are due.", _nothing),
    Scene(10, "10:00", "Eli moves SE-105 to Need Review.", _search_reaches_review),
    Scene(10, "14:00", "Bob knows already that SE-107 will spill over, and says why.", _bob_knows_the_reason),
    Scene(10, "16:00", "Eli says something to Crafty that it does not know.", _eli_says_something_else),
    Scene(11, "10:00", "The last day to get ready: Ann completes SE-120 in three clicks.", _import_is_made_ready),
    Scene(11, "11:00", "Eli adds SE-130 to the next sprint, eleven hours after the deadline.", _eli_adds_a_ticket),
    Scene(11, "11:30", "Ann adds SE-131, which replaces SE-121.", _ann_replaces_a_ticket),
    Scene(11, "12:00", "Sam accepts SE-131 with a comment.", _sam_accepts),
    Scene(11, "14:00", "Nia adds SE-132 to the next sprint.", _nia_adds_a_ticket),
    Scene(11, "14:15", "Sam accepts SE-132 with the label.", _sam_accepts_by_label),
    Scene(11, "14:45", "Bob, the reviewer of SE-106, calls it urgent.", _bob_calls_it_urgent),
    Scene(11, "15:00", "Bob has to step back and empties the reviewer of SE-120.", _import_loses_its_reviewer),
    Scene(11, "15:30", "Sam finds Fay to review it.", _import_is_ready_again),
    Scene(11, "16:00", "Eli adds SE-133 as well; Sam has had five messages today.", _eli_adds_another_ticket),
    Scene(11, "17:00", "SE-103 and SE-105 are delivered.", _the_rest_is_delivered),
    Scene(14, "09:00", "Monday morning: Sprint 41 closes, Sprint 42 starts.", _sprint_changes),
    Scene(14, "11:00", "Ann says what kept SE-106.", _ann_gives_the_reason),
    Scene(14, "12:00", "Sprint 42 is on its way.", _nothing),
)
