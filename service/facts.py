"""What is true of tickets, sprints, people and cells, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final, Self, TypeVar, dataclass_transform

import msgspec

from service.calendar import SprintCalendar, SprintWindow, TimeOff

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


_MAY_NAME_PEOPLE: Final = (msgspec.Struct, tuple)


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final[Any] = _Absent()
"""The value of a fact that nobody told us; never the same as None, which says that there is nothing."""


class Unknown(LookupError):
    """A decision needs a fact that is not known yet.

    fact: the name of what has to be looked up.
    """

    def __init__(self, fact: str) -> None:
        super().__init__(fact)
        self.fact = fact


class _Unread:
    """A fact that was not read yet; once it is, it is an attribute of its own, which is found first."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, holder: Partial, _: type[Partial]) -> Any:
        read = vars(holder)
        if self._name not in read["_facts"]:
            raise Unknown(self._name)
        value = read[self._name] = read["_facts"][self._name]
        return value


@dataclass_transform(eq_default=False, frozen_default=True)
class Partial:
    """Facts of which some may be absent: reading an absent one raises Unknown.

    A copy made by `tracked` also remembers which facts were read, so that a decision can name what it used: only what
    was read is an attribute of its own. Evaluation takes less than half the time that it takes where every read is
    looked at.
    """

    _names: ClassVar[frozenset[str]] = frozenset()
    _facts: Mapping[str, Any]

    def __init_subclass__(cls) -> None:
        cls._names = frozenset(cls.__annotations__)
        for name in cls._names:
            setattr(cls, name, _Unread(name))

    def __init__(self, **facts: Any) -> None:
        if not self._names.issuperset(facts):
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(facts.keys() - self._names))}")
        vars(self)["_facts"] = {name: value for name, value in facts.items() if value is not ABSENT}

    def __setattr__(self, name: str, _: Any) -> None:
        raise AttributeError(f"{name} can't be set: facts are frozen")

    def known(self) -> dict[str, Any]:
        """Every fact that is known, by name."""
        return dict(self._facts)

    def used(self) -> dict[str, Any]:
        """The known facts that were read since this value was made, in the order in which they were first read."""
        return {name: value for name, value in vars(self).items() if name != "_facts"}

    def having(self, **changes: Any) -> Self:
        """A copy with these facts set; nothing counts as read in it."""
        return self._holding({**self._facts, **type(self)(**changes).known()})

    def tracked(self) -> Self:
        """A copy in which nothing counts as read."""
        return self._holding(self._facts)

    def _holding(self, facts: Mapping[str, Any]) -> Self:
        copy = object.__new__(type(self))
        vars(copy)["_facts"] = facts
        return copy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Partial) and type(self) is type(other) and self._facts == other._facts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._facts.items())})"


Facts = TypeVar("Facts", bound=Partial)


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody, by the accounts we know of them.

    jira: the Cloud account id or the Data Center user name; jira_key: Data Center's user key, which webhooks may use
    instead; id: the person's id in our configuration, "" for strangers; timezone: an IANA name; newcomer: on trial;
    time_off: first and last day, both included.
    """

    name: str
    id: str = ""
    jira: str | None = None
    jira_key: str | None = None
    mattermost: str | None = None
    discourse: str | None = None
    github: str | None = None
    gitlab: str | None = None
    timezone: str | None = None
    newcomer: bool = False
    time_off: TimeOff = ()

    @property
    def is_member(self) -> bool:
        """Whether the configuration knows the person."""
        return bool(self.id)

    def is_same(self, other: Person | None) -> bool:
        """Whether both are one account in some system, or one person of the configuration."""
        return other is not None and not self.accounts.isdisjoint(other.accounts)

    @property
    def accounts(self) -> frozenset[tuple[str, str]]:
        """Every account as its system and its name there; Jira tells accounts apart by case, the others do not."""
        return _accounts(self)

    @property
    def jira_ids(self) -> set[str]:
        return {account for account in (self.jira, self.jira_key) if account}

    def is_away_from(self, first: date, until: date) -> bool:
        """Whether the person is off on every day from `first` up to and including `until`."""
        return any(start <= first and until <= last for start, last in self.time_off)


@lru_cache(maxsize=4096)
def _accounts(person: Person) -> frozenset[tuple[str, str]]:
    """Remembered, because each event compares the same few people again and again: 10 % of evaluation."""
    others = {"id": person.id, "discourse": person.discourse, "github": person.github, "gitlab": person.gitlab}
    known = {(system, account.casefold()) for system, account in others.items() if account}
    return frozenset(known | {("jira", account) for account in person.jira_ids})


class Sprint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sprint of a board.

    state: active, future or closed; start and end: aware instants, None where Jira has none; completed_at: when it was
    closed.
    """

    id: int
    name: str
    state: str
    board: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    completed_at: datetime | None = None


class Sprints(msgspec.Struct, frozen=True, kw_only=True):
    """The sprints of a cell's board that matter now; None where there is no such sprint.

    is_whole: whether the board itself was read; otherwise these are the sprints that one ticket names.
    """

    active: Sprint | None = None
    next: Sprint | None = None
    stretch_goals: Sprint | None = None
    is_whole: bool = True


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule's comment on a subject says by now.

    state: the rule's own word for it; at: since when it says that something is wanted, or that all is well; turns: how
    often the state has changed.
    """

    occasion: str
    state: str
    at: datetime
    turns: int = 0


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody wrote: a comment on a ticket, a post of a topic.

    id: grows with every remark of one system; text: as plain words, in which a mention reads `[~account]`, the account
    being the one that Jira knows the person by; mentions: those accounts.
    """

    id: str
    at: datetime
    author: Person | None = None
    text: str = ""
    mentions: tuple[str, ...] = ()


class SprintMove(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a ticket's Sprint field. before, after: the ids of every sprint it held then, closed ones too."""

    at: datetime
    by: Person | None = None
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    @property
    def added(self) -> set[int]:
        return set(self.after) - set(self.before)


class StatusChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a ticket's status. before, after: the names of the statuses."""

    at: datetime
    by: Person | None = None
    before: str = ""
    after: str = ""


class IssueLink(msgspec.Struct, frozen=True):
    """A link to another ticket. phrase: what this ticket does to the other, in Jira's words, such as "split from"."""

    phrase: str
    key: str


class Ticket(Partial):
    """A Jira issue.

    key: always known; kind: name of the issue type; estimate: story points, None when there is none and 0 when it is
    estimated at nothing; flagged: marked as an impediment; sprints: every sprint the ticket is or was in;
    entered_status_at: since when it has its status; epic_owner: the assignee of its epic; description: as plain words;
    original_estimate, remaining_estimate: hours, None when not estimated. Oldest first, and each complete or absent:
    remarks: its comments; sprint_moves, status_changes: what its history tells.
    """

    key: str
    summary: str = ABSENT
    kind: str = ABSENT
    is_subtask: bool = ABSENT
    status: str = ABSENT
    is_done: bool = ABSENT
    assignee: Person | None = ABSENT
    reporter: Person | None = ABSENT
    reviewer: Person | None = ABSENT
    core_committer: Person | None = ABSENT
    estimate: float | None = ABSENT
    flagged: bool = ABSENT
    sprints: tuple[Sprint, ...] = ABSENT
    epic_key: str | None = ABSENT
    epic_owner: Person | None = ABSENT
    created_at: datetime = ABSENT
    updated_at: datetime = ABSENT
    entered_status_at: datetime = ABSENT
    url: str = ABSENT
    creator: Person | None = ABSENT
    labels: tuple[str, ...] = ABSENT
    description: str | None = ABSENT
    links: tuple[IssueLink, ...] = ABSENT
    original_estimate: float | None = ABSENT
    remaining_estimate: float | None = ABSENT
    remarks: tuple[Remark, ...] = ABSENT
    sprint_moves: tuple[SprintMove, ...] = ABSENT
    status_changes: tuple[StatusChange, ...] = ABSENT

    @property
    def project(self) -> str:
        return self.key.rpartition("-")[0]

    @property
    def running_sprint(self) -> Sprint | None:
        """The active sprint that the ticket is in."""
        return next((sprint for sprint in self.sprints if sprint.state == "active"), None)

    def is_in(self, sprint: Sprint | None) -> bool:
        return sprint is not None and any(mine.id == sprint.id for mine in self.sprints)

    @property
    def reviewers(self) -> tuple[Person, ...]:
        """Everyone who may review it; the assignee does not count as a reviewer of their own work."""
        named = (self.reviewer, self.core_committer)
        return tuple(person for person in named if person and not person.is_same(self.assignee))

    @property
    def is_reviewed_by_assignee(self) -> bool:
        """Whether the assignee stands in a reviewer's field."""
        return any(person and person.is_same(self.assignee) for person in (self.reviewer, self.core_committer))

    @property
    def responsible(self) -> Person | None:
        """Who answers for it: the epic owner, else the tentative assignee (of a flagged ticket), else the reporter."""
        return self.epic_owner or (self.assignee if self.flagged else None) or self.reporter


class Duty(msgspec.Struct, frozen=True):
    """Who has a role from one sprint day to another, both included."""

    role: str
    people: tuple[Person, ...]
    first_day: int
    last_day: int


class Statuses(msgspec.Struct, frozen=True):
    """The names of a cell's workflow statuses that rules speak of, each as a set of names in lower case."""

    backlog: frozenset[str]
    in_progress: frozenset[str]
    need_review: frozenset[str]
    merged: frozenset[str]
    recurring: frozenset[str]
    finished: frozenset[str]


@dataclass(frozen=True)
class Cell:
    """A team: its projects, board, sprint calendar and the people in its roles.

    members: whoever the configuration puts into it; repositories: "owner/name" in lower case; contribution_projects:
    the keys of Jira projects in which people from outside write to us; what happens in these, and in the forum's
    categories, concerns the cell.
    """

    name: str
    projects: tuple[str, ...]
    board: int | None
    stretch_goals: str
    channel: str | None
    calendar: SprintCalendar
    statuses: Statuses
    roles: dict[str, Person]
    duties: tuple[Duty, ...]
    members: tuple[Person, ...] = ()
    repositories: frozenset[str] = frozenset()
    forum_categories: frozenset[int] = frozenset()
    contribution_projects: frozenset[str] = frozenset()

    def on_duty(self, role: str, day: int) -> tuple[Person, ...]:
        """Who has this role on that sprint day; the last matching entry of the rotation wins."""
        matching = [duty for duty in self.duties if duty.role == role and duty.first_day <= day <= duty.last_day]
        return matching[-1].people if matching else ()

    def is_stretch_goals(self, sprint: Sprint) -> bool:
        """Whether that is the cell's Stretch Goals, by its name."""
        return sprint.name.strip().casefold() == self.stretch_goals.strip().casefold()

    def sprints_among(self, sprints: Iterable[Sprint]) -> Sprints:
        """The active one, the earliest real future one, and Stretch Goals.

        Jira lists sprints in their order on the board; those that have dates are ordered by them.
        """
        known = list(sprints)
        future = [sprint for sprint in known if sprint.state == "future"]
        coming = [sprint for sprint in future if not self.is_stretch_goals(sprint)]
        return Sprints(
            active=next((sprint for sprint in known if sprint.state == "active"), None),
            next=min(coming, key=lambda sprint: (sprint.start is None, sprint.start or _NEVER), default=None),
            stretch_goals=next((sprint for sprint in future if self.is_stretch_goals(sprint)), None),
        )

    def window(self, now: datetime, sprints: Sprints) -> SprintWindow:
        """The sprint that runs at `now`; the dates of Jira's active sprint win over the configured anchor."""
        active = sprints.active
        return self.calendar.sprint_at(now, start=active.start if active else None, end=active.end if active else None)


@dataclass(frozen=True)
class Team:
    """All cells and everyone in them."""

    cells: tuple[Cell, ...] = ()
    members: tuple[Person, ...] = ()

    def cell_of(self, project: str) -> Cell | None:
        """The cell that a Jira project belongs to."""
        return self._by_project.get(project)

    def cell_watching(self, place: str | int) -> Cell | None:
        """The cell that looks after a repository, a forum category (by its number) or a contributions project."""
        if isinstance(place, int):
            return self._by_category.get(place)
        return self._by_place.get(place) or self._by_place.get(place.lower())

    # Tables instead of a search: with 200 cells and 2,000 people an event costs what it costs with one.

    @cached_property
    def _by_project(self) -> dict[str, Cell]:
        return {project: cell for cell in reversed(self.cells) for project in cell.projects}

    @cached_property
    def _by_category(self) -> dict[int, Cell]:
        return {number: cell for cell in reversed(self.cells) for number in cell.forum_categories}

    @cached_property
    def _by_place(self) -> dict[str, Cell]:
        return {
            place: cell for cell in reversed(self.cells) for place in cell.repositories | cell.contribution_projects
        }

    @cached_property
    def _by_account(self) -> dict[tuple[str, str], int]:
        """Where among the members the first one with each account is."""
        return {
            account: len(self.members) - number
            for number, member in enumerate(reversed(self.members), 1)
            for account in member.accounts
        }

    def home_of(self, person: Person) -> Cell:
        """The cell that the person is a member of; the first one for whoever is in none."""
        return next((cell for cell in self.cells if any(one.is_same(person) for one in cell.members)), self.cells[0])

    def resolve(self, person: Person) -> Person:
        """The configured person with that account, else the same stranger; never guessed by name."""
        found = [self._by_account[account] for account in person.accounts if account in self._by_account]
        return self.members[min(found)] if found else person

    def introduce(self, facts: Facts) -> Facts:
        """The facts with every person in them resolved."""
        spoken_of = {name: value for name, value in facts.known().items() if isinstance(value, _MAY_NAME_PEOPLE)}
        return facts.having(**{name: self._introduced(value) for name, value in spoken_of.items()})

    def _introduced(self, value: Any) -> Any:
        if isinstance(value, Person):
            return self.resolve(value)
        if isinstance(value, tuple):
            return tuple(map(self._introduced, value))
        if isinstance(value, msgspec.Struct):
            fields = msgspec.structs.asdict(value).items()
            people = {name: self.resolve(person) for name, person in fields if isinstance(person, Person)}
            return msgspec.structs.replace(value, **people) if people else value
        return value


def visible_name(name: str | None, account: str) -> str:
    """A person's name; the account where the name has nothing that can be seen."""
    return name if name and any(sign.isprintable() and not sign.isspace() for sign in name) else account


def names_of(people: Iterable[Person]) -> str:
    """Their names as a phrase: "Ann", "Ann and Bob", "Ann, Bob and Cy"."""
    return " and ".join(_last_two([person.name for person in people]))


def _last_two(names: list[str]) -> Iterator[str]:
    if len(names) > 1:
        yield ", ".join(names[:-1])
    yield from names[-1:]
