"""What people do in two weeks, drawn up front, so that it is the same whatever Crafty does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from service.demo.simulation.diary import CLOSE, END, PLANNED, START, Deed, Diary, account
from service.demo.stage import Scenery
from service.facts import Person, Team

BOARD: Final = 12
RUNNING, NEXT = 41, 42
SPRINTS: Final = {RUNNING: "Sprint 41", NEXT: "Sprint 42", 43: "Sprint 43", 40: "Stretch Goals"}
EPICS: Final = {"SE-98": "eli", "SE-99": "ann"}
REPOSITORIES: Final = ("acme/poll", "acme/theme")
CATEGORY: Final = 7

LAST_DAY: Final = START.replace(hour=0) + timedelta(days=11)
"""When the Friday begins on which tickets of the next sprint are made ready, and nothing more may join it."""

_STRANGERS: Final = ("maria-makes", "joao-codes", "kim-tries", "noor-writes")
_INSIDERS: Final = ("dependabot[bot]", "bob-codes")
_WAYS: Final = {
    (): 1,
    ("In Progress",): 2,
    ("In Progress", "Need Review"): 3,
    ("In Progress", "External Review / Blocker"): 1,
    ("In Progress", "Need Review", "Deployed & Delivered"): 3,
    ("In Progress", "Need Review", "Merged", "Done"): 2,
}
"""How far tickets get, and how often that is so."""

_ADDITIONS: Final = ("plain", "accepted", "labelled", "manager", "emergency", "replaces", "confirmed", "described")


@dataclass(frozen=True)
class Offer:
    """Something from outside that has to be answered. title: one of a kind; answered, closed: None where never."""

    title: str
    since: datetime
    answered: datetime | None = None
    closed: datetime | None = None


@dataclass(frozen=True)
class Plan:
    """deeds: in order of time."""

    deeds: tuple[Deed, ...]
    offers: tuple[Offer, ...]


def planned(seed: int, team: Team, tickets: int) -> Plan:
    """The same plan for the same seed. tickets: half of them in the running sprint, half in the next one."""
    diary, half = Diary(Random(seed), team), tickets // 2  # noqa: S311 - plays, keeps no secret
    _plan_sprints(diary)
    for key, owner in EPICS.items():
        diary.create(PLANNED, key, diary.people[owner], None, kind="Epic", summary=key, assignee=f"acc-{owner}")
    for number in range(half):
        _Running(diary, f"SE-{101 + number}").plan()
        _plan_coming(diary, f"SE-{201 + number}")
    _plan_additions(diary)
    offers = tuple(_plan_offers(diary, half // 5))
    return Plan(tuple(sorted(diary.deeds, key=lambda deed: deed.at)), offers)


def _plan_sprints(diary: Diary) -> None:
    """Two clicks end one sprint and start the next; Crafty has to stand the minutes between them."""

    async def make(on: Scenery) -> None:
        for number, name in SPRINTS.items():
            await on.jira.create_sprint(number, name, board=BOARD)

    diary.note(PLANNED, "sprints", "There are sprints", make)
    diary.note(START, "sprints", "The sprint starts", lambda on: on.jira.start_sprint(RUNNING))
    diary.note(CLOSE, "sprints", "Eli closes the sprint", lambda on: on.jira.close_sprint(RUNNING, "acc-eli"))
    diary.note(CLOSE + timedelta(minutes=5), "sprints", "The next one starts", lambda on: on.jira.start_sprint(NEXT))


# The running sprint


class _Running:
    """A ticket of the running sprint, and what becomes of it."""

    def __init__(self, diary: Diary, key: str) -> None:
        self._diary = diary
        self._key = key
        self._assignee = diary.anybody()
        self._reviewer = self._draw_reviewer()

    def plan(self) -> None:
        diary = self._diary
        diary.create(
            PLANNED,
            self._key,
            diary.anybody(),
            RUNNING,
            **_named(diary, self._key),
            assignee=account(self._assignee),
            reviewer=account(self._reviewer) if self._reviewer else None,
            estimate=float(diary.chance.choice((0, 1, 2, 3, 5))),
            status="Recurring" if diary.happens(0.05) else "Backlog",
        )
        self._work()
        if diary.happens(0.2 if self._reviewer else 0.6):
            self._name_a_reviewer()
        self._talk()

    def _draw_reviewer(self) -> Person | None:
        if self._diary.happens(0.05):
            return self._assignee
        return self._diary.anybody(self._assignee) if self._diary.happens(0.6) else None

    def _work(self) -> None:
        diary = self._diary
        way = diary.chance.choices(tuple(_WAYS), weights=tuple(_WAYS.values()))[0]
        earliest, latest = START, START + timedelta(days=7)
        for status in way:
            at = diary.moment(self._assignee, self._key, earliest, latest)
            if at is None:
                return
            diary.edit(at, self._key, self._assignee, status=status)
            if status == "Need Review":
                diary.waits_for_review(self._key, at)
            earliest, latest = at, min(at + timedelta(days=6), END)

    def _name_a_reviewer(self) -> None:
        who, reviewer = self._diary.anybody(), self._diary.anybody(self._assignee)
        at = self._diary.moment(who, self._key, START, END)
        if at:
            self._diary.edit(at, self._key, who, reviewer=account(reviewer))

    def _talk(self) -> None:
        for share, who, text in self._words():
            at = self._diary.moment(who, self._key, START, END) if self._diary.happens(share) else None
            if at:
                self._diary.say(at, self._key, who, text)

    def _words(self) -> tuple[tuple[float, Person, str], ...]:
        """Who may say what, and how likely that is."""
        mine, other = self._assignee, self._diary.anybody(self._assignee)
        reviewer, sam = self._reviewer or other, self._diary.people["sam"]
        return (
            (0.1, mine, "[~crafty] snooze 2d"),
            (0.1, other, "[~crafty] help"),
            (0.1, other, "[~crafty] why?"),
            (0.05, other, "[~crafty] dance"),
            (0.3, other, f"[~{account(mine)}] how is it going?"),
            (0.2, mine, "It goes well."),
            (0.3, mine, "[~crafty]: <spillover>it was larger than it seemed</spillover>"),
            (0.1, sam, "[~crafty]: <spillover>other things came first</spillover>"),
            (0.1, reviewer, "[~crafty] urgent"),
            (0.1, reviewer, "[~crafty] plan 1h 30m for reviewing this task"),
        )


def _named(diary: Diary, key: str) -> dict[str, Any]:
    return {"summary": f"Ticket {key}", "epic": diary.chance.choice((None, *EPICS))}


# The next sprint


def _plan_coming(diary: Diary, key: str) -> None:
    """A ticket of the next sprint, whose fields are filled in at once, in time, late or never, and may be emptied."""
    reporter, assignee = diary.anybody(), diary.anybody()
    reviewer = diary.anybody(assignee)
    fields = {"estimate": 2.0, "assignee": account(assignee), "reviewer": account(reviewer)}
    filled = {name: value for name, value in fields.items() if diary.happens(0.5)}
    at = diary.moment(reporter, key, START, LAST_DAY - timedelta(days=3)) if diary.happens(0.7) else None
    flagged = "assignee" in filled and diary.happens(0.2)
    diary.create(at or PLANNED, key, reporter, NEXT, **_named(diary, key), flagged=flagged, **filled)
    for name, value in fields.items():
        if name not in filled:
            _plan_edit(diary, key, at or START, **{name: value})
    if diary.happens(0.15):
        _plan_edit(diary, key, at or START, reviewer=None)


def _plan_edit(diary: Diary, key: str, since: datetime, **fields: Any) -> None:
    who, fate = diary.anybody(), diary.chance.choice(("in time", "late", "never"))
    if fate == "never":
        return
    first, last = (since, LAST_DAY) if fate == "in time" else (LAST_DAY, LAST_DAY + timedelta(days=1))
    at = diary.moment(who, key, first, last)
    if at:
        diary.edit(at, key, who, **fields)


# Late additions


def _plan_additions(diary: Diary) -> None:
    """Tickets that join the running sprint, or the next one after its deadline, each kind of them now and then."""
    kinds = [(kind, sprint) for sprint in (RUNNING, NEXT) for kind in _ADDITIONS if diary.happens(0.7)]
    for number, (kind, sprint) in enumerate(kinds):
        key, who = f"SE-{301 + number}", _who_adds(diary, kind)
        first, last = (START, LAST_DAY) if sprint == RUNNING else (LAST_DAY, LAST_DAY + timedelta(days=1))
        at = diary.moment(who, key, first, last)
        if at:
            _plan_addition(diary, key, who, at, kind, sprint)


def _who_adds(diary: Diary, kind: str) -> Person:
    """Who is on firefighter duty in the second week adds emergencies, in the first one too."""
    special = {"manager": "sam", "emergency": "finn"}
    return diary.people[special[kind]] if kind in special else diary.anybody(diary.people["sam"])


def _plan_addition(diary: Diary, key: str, who: Person, at: datetime, kind: str, sprint: int) -> None:
    """A ticket that is ready in every other way, and what is said of it."""
    other, assignee = f"SE-{101 if sprint == RUNNING else 201}", diary.anybody()
    fields = {
        **_named(diary, key),
        "assignee": account(assignee),
        "reviewer": account(diary.anybody(assignee)),
        "estimate": 2.0,
        "labels": ["emergency"] if kind == "emergency" else [],
        "description": f"This replaces {other}." if kind == "described" else None,
    }

    async def add(on: Scenery) -> None:
        await on.jira.create_issue(key, account(who), sprint=sprint, **fields)
        if kind in {"replaces", "confirmed"}:
            await on.jira.link(key, "replaces", other, account(who))

    diary.note(at, key, f"{who.name} adds {key} to sprint {sprint} ({kind}): {fields}", add)
    _plan_acceptance(diary, key, at, kind)


def _plan_acceptance(diary: Diary, key: str, since: datetime, kind: str) -> None:
    sam = diary.people["sam"]
    at = diary.moment(sam, key, since, END)
    if at and kind in {"accepted", "confirmed"}:
        diary.say(at, key, sam, "[~crafty] accept")
    if at and kind == "labelled":
        diary.note(at, key, f"Sam labels {key}", lambda on: on.jira.label(key, "acc-sam", add=["injection-accepted"]))


# What comes from outside


def _plan_offers(diary: Diary, count: int) -> list[Offer]:
    """Pull requests in each repository, and half as many topics; only those of strangers have to be answered."""
    offers = []
    for repository in REPOSITORIES:
        opened = sorted(diary.instant(START, LAST_DAY + timedelta(days=1)) for _ in range(count))
        plans = [_plan_pull_request(diary, repository, number, at) for number, at in enumerate(opened, start=1)]
        offers += [offer for offer in plans if offer]
    return offers + [_plan_topic(diary, f"How does part {number + 1} work?") for number in range(count // 2)]


def _plan_pull_request(diary: Diary, repository: str, number: int, at: datetime) -> Offer | None:
    author, title = diary.chance.choice((*_STRANGERS, *_INSIDERS)), f"Change {number} of {repository}"
    is_draft, since = diary.happens(0.2), at
    diary.note(
        at,
        title,
        f"{author} opens “{title}”{' as a draft' if is_draft else ''}",
        lambda on: on.github.open_pull_request(repository, author, title, draft=is_draft),
    )
    if is_draft:
        since = diary.instant(at + timedelta(hours=4), at + timedelta(days=2))
        diary.note(since, title, f"“{title}” is ready", lambda on: on.github.mark_ready(repository, number, author))
    offer = _plan_end(diary, Offer(title, since), repository, number, author)
    return offer if author in _STRANGERS else None


def _plan_end(diary: Diary, offer: Offer, repository: str, number: int, author: str) -> Offer:
    """Somebody of the team answers soon or late, the author closes it, or nothing happens."""
    fate, who = diary.chance.choice(("soon", "soon", "late", "closed", "never")), diary.anybody()
    at = diary.moment(who, offer.title, offer.since, offer.since + timedelta(days=5 if fate == "late" else 1))
    if at is None or fate == "never":
        return offer
    if fate == "closed":
        told = f"{author} closes “{offer.title}”"
        diary.note(at, offer.title, told, lambda on: on.github.close(repository, number, author))
        return replace(offer, closed=at)
    told, login = f"{who.name} answers “{offer.title}”", str(who.github)
    diary.note(at, offer.title, told, lambda on: on.github.comment(repository, number, login, "Thank you!"))
    return replace(offer, answered=at)


def _plan_topic(diary: Diary, title: str) -> Offer:
    opened, who = diary.instant(START, LAST_DAY), diary.anybody()
    words = "I followed the manual, and nothing happens."
    told = f"Carla opens the topic “{title}”"
    diary.note(opened, title, told, lambda on: on.forum.open_topic("carla", title, words, CATEGORY))
    at = diary.moment(who, title, opened, opened + timedelta(days=4))
    if at is None or diary.happens(0.3):
        return Offer(title, opened)

    async def answer(on: Scenery) -> None:
        topic = next(topic.id for topic in on.forum.topics.values() if topic.title == title)
        await on.forum.reply(topic, str(who.discourse), f"Hello Carla, which version do you have? {title}")

    diary.note(at, title, f"{who.name} answers “{title}”", answer)
    return Offer(title, opened, answered=at)
