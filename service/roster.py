"""The configured cells and people, as facts."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from service.attention import Attention
from service.calendar import SprintCalendar
from service.config import CalendarConfig, CellConfig, Config, MessagesConfig, PersonConfig, StatusesConfig
from service.facts import Cell, Duty, Person, Statuses, Team
from service.values import Holidays

_ANY_SPRINT = datetime(2024, 1, 1, 9)  # noqa: DTZ001 - local time; stands in where there is no cell


def team_from(config: Config) -> Team:
    """All cells and people of a validated configuration."""
    people = {person.id: _person(person) for person in config.people}
    cells = tuple(_cell(cell, config, people) for cell in config.cells)
    return Team(cells, tuple(people.values()))


def attention_from(config: MessagesConfig) -> Attention:
    """The manners that these settings describe."""
    quiet_from, quiet_until = time.fromisoformat(config.quiet_from), time.fromisoformat(config.quiet_until)
    return Attention(config.pings_a_day, quiet_from, quiet_until)


def calendar_from(config: CalendarConfig) -> SprintCalendar:
    """The sprint calendar that these settings describe."""
    return SprintCalendar(
        zone=ZoneInfo(config.timezone),
        anchor=config.anchor or _ANY_SPRINT,
        length_days=config.length_days,
        insertion_deadline=config.insertion_deadline.deadline,
        green_deadline=config.green_deadline.deadline,
        review_deadline=config.review_deadline.deadline,
        holidays=Holidays.of(config.holidays),
    )


def _cell(cell: CellConfig, config: Config, people: dict[str, Person]) -> Cell:
    own = config.calendar.overridden_by(cell.calendar)
    holders = {role: people[who] for role, who in cell.roles.model_dump(exclude_none=True).items()}
    return Cell(
        name=cell.name,
        projects=cell.projects,
        board=cell.board,
        stretch_goals=cell.stretch_goals,
        channel=cell.channel,
        calendar=calendar_from(own),
        statuses=_statuses(config.jira.statuses),
        roles=holders,
        duties=tuple(
            Duty(rotation.role, tuple(people[who] for who in rotation.people), *rotation.span(own.length_days))
            for rotation in cell.rotations
        ),
        members=tuple(people[person.id] for person in config.people if person.cell == cell.name),
        repositories=frozenset(name.lower() for name in cell.repositories),
        forum_categories=frozenset(cell.forum_categories),
        contribution_projects=frozenset(cell.contribution_projects),
    )


def _person(person: PersonConfig) -> Person:
    return Person(
        id=person.id,
        name=person.name,
        jira=person.jira,
        mattermost=person.mattermost,
        discourse=person.discourse,
        github=person.github,
        gitlab=person.gitlab,
        timezone=person.timezone,
        newcomer=person.newcomer,
        time_off=person.absences,
    )


def _statuses(config: StatusesConfig) -> Statuses:
    return Statuses(**{name: frozenset(map(str.casefold, names)) for name, names in config.model_dump().items()})
