"""The domain from crafty.toml: cells, people, calendar and rules; checked whole, and frozen.

Errors name the line and the way to mend it.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from service.calendar import Deadline, TimeOff
from service.errors import ConfigError, Problem
from service.toml_problems import Source, TomlPath, did_you_mean, dotted, problems_from, text_of
from service.values import Duration, Holiday, Zone

Mode = Literal["on", "dry-run", "off"]


Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

_LIST: Final[Any] = Field(strict=False)
"""TOML arrays arrive as lists; they are kept as tuples."""

Names = Annotated[tuple[Name, ...], _LIST]

VIA: Final = "via:"
"""What stands before the name of a channel that CRAFTY_CHANNELS has; one without it is Mattermost's."""

MATTERMOST: Final = "mattermost"
"""What people's messages go by unless they say otherwise."""


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    """Checked after the entries, so that a wrong entry is not counted as a missing one too."""
    if not values:
        raise ValueError("This list needs an entry.")
    return values


_SOME: Final = AfterValidator(_some)
_MIN_ONE: Final[dict[str, Any]] = {"minItems": 1}


class _Table(BaseModel):
    """A table of the file: types are taken as they are written, unknown keys refused, values frozen."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class DeadlineConfig(_Table):
    """A wall-clock time on a sprint day."""

    day: int = Field(ge=0, le=366, description="The sprint day; day 0 is the day on which the sprint starts.")
    time: str = Field(description='The local time as "HH:MM"; "24:00" is the end of that day.')

    @field_validator("time")
    @classmethod
    def _is_time(cls, value: str) -> str:
        Deadline.at(0, value)
        return value

    @property
    def deadline(self) -> Deadline:
        return Deadline.at(self.day, self.time)


_DEADLINES: Final = ("insertion_deadline", "green_deadline", "review_deadline")


class CalendarConfig(_Table):
    """When sprints start, when things are due, and which days are off, in local time."""

    timezone: Zone = Field("UTC", description="The IANA time zone in which every time here is meant.")
    anchor: datetime | None = Field(
        None,
        description="The start of any past sprint, local time without an offset. Needed as soon as there is a cell.",
    )
    length_days: int = Field(14, ge=1, le=366, description="How many days a sprint lasts.")
    insertion_deadline: DeadlineConfig = Field(
        DeadlineConfig(day=10, time="24:00"), description="After this nothing more is added to the next sprint."
    )
    green_deadline: DeadlineConfig = Field(
        DeadlineConfig(day=11, time="24:00"),
        description="By then tickets of the next sprint have an estimate, an assignee and a reviewer.",
    )
    review_deadline: DeadlineConfig = Field(
        DeadlineConfig(day=9, time="24:00"), description="By then every ticket has reached internal review."
    )
    holidays: Annotated[tuple[Holiday, ...], _LIST] = Field(
        (), description="Countries or regions by ISO 3166 code, and single days."
    )

    @field_validator("anchor")
    @classmethod
    def _is_local(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is not None:
            raise ValueError("The anchor is local time: leave the offset out, the timezone key says where.")
        if value is not None and not 1900 <= value.year < 2200:
            raise ValueError("The anchor lies in a year from 1900 to 2199.")
        return value

    def overridden_by(self, other: Self) -> Self:
        """This calendar with the keys that the other one sets."""
        return self.model_copy(update={name: getattr(other, name) for name in other.model_fields_set})


class FieldsConfig(_Table):
    """Jira's custom fields, each by its name or its id; names are looked up at the start."""

    story_points: Name = Field("Story Points", description="The number field that holds the estimate.")
    reviewer: Name = Field("Reviewer 1", description="The user field that names the reviewer.")
    core_committer: Name = Field("Core Committer", description="The user field of the second kind of reviewer.")
    sprint: Name = Field("Sprint", description="The field that lists a ticket's sprints.")
    epic_link: Name = Field("Epic Link", description="The field that names a ticket's epic where it has no parent.")
    flagged: Name = Field("Flagged", description="The field that marks an impediment.")


class StatusesConfig(_Table):
    """What the workflow's statuses mean; upper and lower case do not matter."""

    backlog: Names = Field(("Backlog", "To Do"), description="Nobody works on it yet.")
    in_progress: Names = Field(("In Progress",), description="Somebody works on it.")
    need_review: Names = Field(
        ("Need Review", "Internal Review", "In Review"), description="It waits for a colleague's review."
    )
    merged: Names = Field(("Merged",), description="Its review is over, and it is not delivered yet.")
    recurring: Names = Field(("Recurring",), description="It comes back each sprint and needs no review.")
    finished: Names = Field(
        ("Done", "Archived", "Deployed & Delivered", "Closed", "Resolved"), description="Nothing is left to do."
    )


class JiraConfig(_Table):
    """How this Jira is set up."""

    fields_: FieldsConfig = Field(FieldsConfig(), alias="fields", description="The custom fields by name or id.")
    statuses: StatusesConfig = Field(StatusesConfig(), description="The statuses by their meaning.")


class RolesConfig(_Table):
    """Who holds which role in a cell, by the id of [[people]]."""

    sprint_planning_manager: Name | None = Field(None, description="Plans the next sprint and accepts late tickets.")
    sprint_manager: Name | None = Field(None, description="Runs the sprint's chores.")
    epic_planning_manager: Name | None = Field(None, description="Looks after the epics and their updates.")
    community_liaison: Name | None = Field(None, description="Answers contributors from outside; may serve all cells.")


class RotationConfig(_Table):
    """Who is on duty on which days of a sprint; of the entries that match a day the last one counts."""

    role: Name = Field(description='What the duty is called, such as "firefighter".')
    people: Annotated[Names, _SOME] = Field(
        json_schema_extra=_MIN_ONE, description="Who is on duty, by id; the first is the first to be asked."
    )
    days: Annotated[tuple[int, int], _LIST] | None = Field(
        None,
        description="The first and the last sprint day of the duty, both included; the whole sprint when left out.",
    )

    @field_validator("days")
    @classmethod
    def _is_range(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 0 <= value[0] <= value[1]:
            raise ValueError("Write the first day before the last, both counted from 0, such as [0, 6].")
        return value

    def span(self, length_days: int) -> tuple[int, int]:
        """The first and last day of the duty in a sprint of that length."""
        return self.days or (0, length_days - 1)


def _project_key(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
        raise ValueError(f'"{value}" is not a Jira project key; those are capitals, such as "SE".')
    return value


def _repository(value: str) -> str:
    if not re.fullmatch(r"[^\s/]+(?:/[^\s/]+)+", value):
        raise ValueError(f'Write the repository as "owner/name", not "{value}".')
    return value


class CellConfig(_Table):
    """A team with its own Jira projects, board and calendar."""

    name: Name = Field(description="What the cell is called, here and in the console.")
    projects: Annotated[tuple[Annotated[str, AfterValidator(_project_key)], ...], _LIST, _SOME] = Field(
        json_schema_extra=_MIN_ONE, description="The keys of the cell's Jira projects; a project belongs to one cell."
    )
    board: int | None = Field(None, ge=1, description="The number of the cell's board in Jira.")
    stretch_goals: Name = Field("Stretch Goals", description="The name of the sprint that waits for spare time.")
    channel: Name | None = Field(
        None, description='Their channel in Mattermost, or a name of CRAFTY_CHANNELS after "via:".'
    )
    repositories: Annotated[tuple[Annotated[str, AfterValidator(_repository)], ...], _LIST] = Field(
        (), description='The public repositories that the cell looks after, as "owner/name".'
    )
    forum_categories: Annotated[tuple[int, ...], _LIST] = Field(
        (), description="The numbers of the forum categories that the cell looks after."
    )
    contribution_projects: Annotated[tuple[Annotated[str, AfterValidator(_project_key)], ...], _LIST] = Field(
        (), description="The keys of Jira projects in which people from outside write to the cell."
    )
    calendar: CalendarConfig = Field(CalendarConfig(), description="What differs from the calendar for all cells.")
    roles: RolesConfig = Field(RolesConfig(), description="Who holds which role.")
    rotations: Annotated[tuple[RotationConfig, ...], _LIST] = Field((), description="Who is on duty when.")


class DaysOffConfig(_Table):
    """An absence."""

    first: date = Field(description="The first day off.")
    last: date = Field(description="The last day off; the same as the first for a single day.")

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError("The last day off comes before the first; swap them.")
        return self


def _person_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError(f'Write the id in plain letters, digits, dots and dashes, such as "sam", not "{value}".')
    return value


class PersonConfig(_Table):
    """A member and the accounts they are known by."""

    id: Annotated[str, AfterValidator(_person_id)] = Field(description="What the other tables call this person.")
    name: Name = Field(description="The name that Crafty addresses them by.")
    cell: Name | None = Field(None, description="The cell they are a member of.")
    jira: Name | None = Field(None, description="The account id in Jira Cloud, or the user name in Data Center.")
    mattermost: Name | None = Field(None, description="The user name in Mattermost.")
    via: Name = Field(
        MATTERMOST,
        description='Where their messages go: "mattermost", or a name of CRAFTY_CHANNELS, such as "sam-mail".',
    )
    discourse: Name | None = Field(None, description="The user name in the forum.")
    github: Name | None = Field(None, description="The login at GitHub.")
    gitlab: Name | None = Field(None, description="The user name at GitLab.")
    timezone: Zone | None = Field(None, description="Their IANA time zone, for the times in chat messages.")
    weekly_hours: float = Field(40, ge=0, le=168, description="The hours they work in a week.")
    newcomer: bool = Field(False, description="Whether they are on trial; newcomers review only beside somebody else.")
    time_off: Annotated[tuple[DaysOffConfig, ...], _LIST] = Field((), description="Announced absences.")

    @property
    def absences(self) -> TimeOff:
        """First and last day of each absence."""
        return tuple((days.first, days.last) for days in self.time_off)


class RuleKeys(BaseModel):
    """What every rule takes; each other key is a parameter of the rule itself, checked by the rule."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    mode: Mode = Field("on", description='"on", "dry-run" (decides and records, does nothing) or "off".')
    settle: Duration = Field(
        "2m", validate_default=True, description="How long the rule waits after the last change before it looks."
    )

    @property
    def params(self) -> Mapping[str, Any]:
        """The rule's own parameters as the file has them, unchecked."""
        return MappingProxyType(self.model_extra or {})

    def given(self) -> dict[str, Any]:
        """The keys that were set, with their values."""
        ours = {"mode": self.mode, "settle": self.settle}
        return {**self.params, **{name: value for name, value in ours.items() if name in self.model_fields_set}}


class RuleConfig(RuleKeys):
    """A rule's settings for all cells, and what differs in some."""

    cells: dict[str, RuleKeys] = Field({}, description="What differs in a cell, by the cell's name.")

    def in_cell(self, cell: str) -> RuleKeys:
        """Mode, settle time and parameters as they hold in that cell."""
        own = self.cells.get(cell, RuleKeys())
        return RuleKeys.model_validate({**self.given(), **own.given()})


class MessagesConfig(_Table):
    """How much Crafty may write to a person, and when."""

    pings_a_day: int = Field(5, ge=1, le=100, description="Messages and mentions a person gets in a day; then a list.")
    quiet_from: str = Field("20:00", description="The local time from which nobody gets a chat message.")
    quiet_until: str = Field("08:00", description="The local time until which nobody gets one; equal times: never.")

    admin_channel: Name | None = Field(
        None, description="The channel that is told what admins have to mend, written as a cell's."
    )

    @field_validator("quiet_from", "quiet_until")
    @classmethod
    def _is_time(cls, value: str) -> str:
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
            raise ValueError(f'Write the time as "HH:MM", from "00:00" to "23:59", not {value!r}.')
        return value


class Config(_Table):
    """The domain, as crafty.toml describes it."""

    calendar: CalendarConfig = Field(CalendarConfig(), description="Sprints, deadlines and days off for every cell.")
    jira: JiraConfig = Field(JiraConfig(), description="Jira's custom fields and statuses.")
    messages: MessagesConfig = Field(MessagesConfig(), description="How often and when people are written to.")
    cells: Annotated[tuple[CellConfig, ...], _LIST] = Field((), description="The teams.")
    people: Annotated[tuple[PersonConfig, ...], _LIST] = Field((), description="Everybody in them.")
    rules: dict[str, RuleConfig] = Field({}, description="The rules by name: mode, settle time and own parameters.")
    _source: Source = PrivateAttr(Source())

    @property
    def addressees(self) -> dict[str, str]:
        """The name in CRAFTY_CHANNELS of what takes somebody's messages, by the person's id."""
        return {person.id: person.via for person in self.people if person.via != MATTERMOST}

    def model_post_init(self, context: Any, /) -> None:
        """Keeps the Source that validation was given as its context."""
        if isinstance(context, Source):
            self._source = context

    @property
    def source(self) -> Source:
        """The file that this was read from."""
        return self._source


Finding = tuple[TomlPath, str]

_NO_ANCHOR: Final[Finding] = (
    ("calendar", "anchor"),
    "is missing; add the start of any past sprint, such as 2026-11-02T09:00:00",
)


def _findings(config: Config) -> Iterator[Finding]:
    """What is wrong between tables that are each well-formed."""
    people = list(enumerate(config.people))
    yield from _repeated(((("cells", i, "name"), cell.name) for i, cell in enumerate(config.cells)), _TWICE)
    yield from _repeated(((("people", i, "id"), person.id) for i, person in people), _TWICE)
    for place, what in _PLACES.items():
        yield from _repeated(_claims(config, place), f"{what} {{value}} is claimed already at {{first}}; {_KEEP_ONE}")
    for system, what in _SYSTEMS.items():
        accounts = ((("people", i, system), getattr(person, system)) for i, person in people)
        taken = ((path, account) for path, account in accounts if account)
        yield from _repeated(taken, f"the {what} account {{value}} is somebody else's at {{first}}; {_CORRECT_ONE}")
    yield from _strangers(config)
    yield from _unknown_cells(config)
    yield from _calendar_findings(config)


_TWICE: Final = "{value} is taken already at {first}; choose another"
_KEEP_ONE: Final = "keep it in one of the two"
_CORRECT_ONE: Final = "correct one of the two"
_PLACES: Final = {
    "projects": "the project",
    "repositories": "the repository",
    "forum_categories": "the forum category",
    "contribution_projects": "the contributions project",
}
_SYSTEMS: Final = {
    "jira": "Jira",
    "mattermost": "Mattermost",
    "discourse": "forum",
    "github": "GitHub",
    "gitlab": "GitLab",
}


def _claims(config: Config, place: str) -> Iterator[tuple[TomlPath, str]]:
    """Every place of that kind that a cell looks after."""
    for i, cell in enumerate(config.cells):
        yield from ((("cells", i, place, j), f"{value}") for j, value in enumerate(getattr(cell, place)))


def _repeated(claims: Iterable[tuple[TomlPath, str]], what: str) -> Iterator[Finding]:
    first: dict[str, TomlPath] = {}
    for path, value in claims:
        known = value if path[-1] == "jira" else value.casefold()
        if known in first:
            yield path, what.format(value=value, first=dotted(first[known]))
        first.setdefault(known, path)


def _strangers(config: Config) -> Iterator[Finding]:
    known = {person.id for person in config.people}
    for path, name in _named_people(config):
        if name not in known:
            yield path, f'nobody in [[people]] has the id "{name}"{did_you_mean(name, known)}'


def _named_people(config: Config) -> Iterator[tuple[TomlPath, str]]:
    for i, cell in enumerate(config.cells):
        for role, holder in cell.roles.model_dump(exclude_none=True).items():
            yield ("cells", i, "roles", role), holder
        for j, rotation in enumerate(cell.rotations):
            yield from ((("cells", i, "rotations", j, "people", k), name) for k, name in enumerate(rotation.people))


def _unknown_cells(config: Config) -> Iterator[Finding]:
    known = {cell.name for cell in config.cells}
    for path, name in _named_cells(config):
        if name not in known:
            yield path, f'there is no cell "{name}"{did_you_mean(name, known)}'


def _named_cells(config: Config) -> Iterator[tuple[TomlPath, str]]:
    for i, person in enumerate(config.people):
        if person.cell:
            yield ("people", i, "cell"), person.cell
    for rule, keys in config.rules.items():
        yield from ((("rules", rule, "cells", cell), cell) for cell in keys.cells)


def named_channels(config: Config) -> Iterator[tuple[TomlPath, str]]:
    """Where the file uses a name of CRAFTY_CHANNELS, and which."""
    channels: list[tuple[TomlPath, str | None]] = [(("messages", "admin_channel"), config.messages.admin_channel)]
    channels += [(("cells", i, "channel"), cell.channel) for i, cell in enumerate(config.cells)]
    yield from ((path, name.removeprefix(VIA)) for path, name in channels if name and name.startswith(VIA))
    yield from (
        (("people", i, "via"), person.via) for i, person in enumerate(config.people) if person.via != MATTERMOST
    )


def _calendar_findings(config: Config) -> Iterator[Finding]:
    yield from _late_deadlines(config.calendar, config.calendar, ("calendar",))
    merged = [config.calendar.overridden_by(cell.calendar) for cell in config.cells]
    if any(calendar.anchor is None for calendar in merged):
        yield _NO_ANCHOR
    for i, (cell, calendar) in enumerate(zip(config.cells, merged, strict=True)):
        yield from _late_deadlines(calendar, cell.calendar, ("cells", i, "calendar"))
        yield from _late_duties(cell, calendar.length_days, ("cells", i, "rotations"))


def _late_deadlines(merged: CalendarConfig, own: CalendarConfig, path: TomlPath) -> Iterator[Finding]:
    """Deadlines after the sprint's end, where this very table sets the deadline or the length."""
    last = merged.length_days - 1
    for name in _DEADLINES:
        day = getattr(merged, name).day
        if day > last and own.model_fields_set & {name, "length_days"}:
            at = name if name in own.model_fields_set else "length_days"
            yield (*path, at), f"{name} lies on day {day}, but the sprint ends with day {last}; choose an earlier day"


def _late_duties(cell: CellConfig, length_days: int, path: TomlPath) -> Iterator[Finding]:
    for j, rotation in enumerate(cell.rotations):
        last = rotation.span(length_days)[1]
        if last >= length_days:
            yield (*path, j, "days"), f"day {last} comes after the sprint, which ends with day {length_days - 1}"


def parse_config(source: Source) -> Config:
    """The domain from the text of a crafty.toml; ConfigError lists every problem with its line."""
    try:
        config = Config.model_validate(_document(source), context=source)
    except ValidationError as error:
        raise ConfigError(*problems_from(error, Config, source)) from None
    problems = [source.problem(path, what) for path, what in _findings(config)]
    if problems:
        raise ConfigError(*problems)
    return config


def _document(source: Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line ([0-9]+)", str(error))
        at = line[1] if line else source.text.count("\n") + 1
        raise ConfigError(Problem(f"{source.name}:{at}", "", f"is not valid TOML: {error}")) from None


def load_config(path: Path) -> Config:
    """The domain from the file at that path; ConfigError where it can't be read or used."""
    return parse_config(Source(path.name, text_of(path, path.name)))
