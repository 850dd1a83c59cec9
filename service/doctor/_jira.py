"""What Crafty can see and do in Jira."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import httpx

from service.clients._http import Refused
from service.clients.jira import Jira
from service.doctor._webhooks import hidden, of_webhooks
from service.errors import CannotAct, CraftyError, NotFound
from service.facts import Cell, Sprint, Team
from service.findings import Finding, doubtful, fine, unchecked, wrong
from service.jira_shapes import RawField, discover
from service.registration import scope_of
from service.settings import Settings

SYSTEM: Final = "Jira"
NEEDED: Final = {
    "BROWSE_PROJECTS": "Browse projects",
    "ADD_COMMENTS": "Add comments",
    "EDIT_OWN_COMMENTS": "Edit own comments",
    "EDIT_ISSUES": "Edit issues",
    "ASSIGN_ISSUES": "Assign issues",
    "CREATE_ISSUES": "Create issues",
    "SCHEDULE_ISSUES": "Schedule issues",
}
"""By the permission's key, what Jira's pages call it."""

OF_GUESTS: Final = ("BROWSE_PROJECTS", "ADD_COMMENTS", "EDIT_OWN_COMMENTS")
"""What is needed where people from outside write."""

SPRINTS: Final = "MANAGE_SPRINTS_PERMISSION"
_SCOPED: Final = "Make a new token. A scoped one works only with CRAFTY_JIRA_API_URL (docs/connecting.md)."
_OPTIONAL: Final = {"core_committer", "epic_link", "flagged"}


async def sign_in(jira: Jira, settings: Settings) -> Iterable[Finding]:
    """Who we are in Jira; where that fails, perhaps because it is the other kind. Raises what the client raises.

    A Jira that treats us as an anonymous visitor, though it answers 200, is one that the client raises CannotAct for.
    """
    try:
        return [fine("sign-in", SYSTEM, f"signed in as {(await jira.identify()).name}")]
    except (NotFound, CannotAct) as refusal:
        other = await _other_kind(jira, settings)
        if other:
            what = f"CRAFTY_JIRA_KIND says {settings.jira_kind}, but Jira says that it is the other kind"
            return [wrong("sign-in", SYSTEM, what, f"Set CRAFTY_JIRA_KIND={other}.")]
        if _may_be_scoped(refusal, settings):
            return [wrong("sign-in", SYSTEM, f"{refusal}", _SCOPED)]
        raise


def _may_be_scoped(refusal: NotFound | CannotAct, settings: Settings) -> bool:
    """Whether the token may be fine, and asks for another address: the Cloud then says 401."""
    is_refused = isinstance(refusal, Refused) and refusal.status == httpx.codes.UNAUTHORIZED
    return is_refused and settings.jira_kind == "cloud" and settings.jira_api_url is None


async def _other_kind(jira: Jira, settings: Settings) -> str | None:
    """The kind that Jira is, where it says so and we took it for another."""
    try:
        kind = "cloud" if await jira.is_cloud() else "datacenter"
    except CraftyError:
        return None
    return kind if kind != settings.jira_kind else None


async def fields(jira: Jira, settings: Settings) -> Iterable[Finding]:
    """Which custom field is which; on the Cloud epics are parents, and need no field."""
    names: dict[str, str] = settings.config.jira.fields_.model_dump()
    if settings.jira_kind == "cloud":
        names.pop("epic_link")
    return of_fields(await jira.field_list(), names)


def of_fields(known: Sequence[RawField], names: Mapping[str, str]) -> Iterator[Finding]:
    """One finding for each field that is not found; those that a site need not have are only doubtful."""
    mend = "Write the right name or id under [jira.fields] in crafty.toml."
    troubles = {fact: discover(known, {fact: wanted})[1] for fact, wanted in names.items()}
    for fact, problems in troubles.items():
        for problem in problems:
            yield (doubtful if fact in _OPTIONAL else wrong)("fields", fact, problem, mend)
    if not any(troubles.values()):
        yield fine("fields", SYSTEM, f"all {len(names)} custom fields are found")


async def permissions(jira: Jira, project: str, wanted: Sequence[str]) -> Iterable[Finding]:
    """What our account may do in a project."""
    try:
        return of_permissions(project, wanted, await jira.permissions(project, wanted))
    except NotFound:
        what = f"there is no project {project}, or our account may not see it"
        mend = "Correct the key in crafty.toml, or give the account Browse projects there."
        return [wrong("permissions", project, what, mend)]


def of_permissions(project: str, wanted: Sequence[str], held: frozenset[str]) -> Iterator[Finding]:
    """What is missing among the wanted permissions."""
    missing = [NEEDED[key] for key in wanted if key in NEEDED and key not in held]
    if missing:
        mend = f"Give them to the account in the permission scheme of {project}."
        yield wrong("permissions", project, f"our account lacks: {', '.join(missing)}", mend)
    elif SPRINTS in wanted and SPRINTS not in held:
        mend = f"Give it to the account in the permission scheme of {project}."
        yield doubtful("permissions", project, "our account lacks: Manage sprints", mend)
    else:
        yield fine("permissions", project, "our account may do what Crafty does")


async def board(jira: Jira, cell: Cell) -> Iterable[Finding]:
    """The sprints of a cell's board."""
    if cell.board is None:
        what = "the cell has no board: sprints are known only from tickets"
        return [doubtful("boards", cell.name, what, "Add its number in Jira as board to the cell in crafty.toml.")]
    try:
        return of_sprints(cell, await jira.sprints(cell.board))
    except (NotFound, CannotAct) as refusal:
        mend = "Correct the number in crafty.toml, or let the account see a scrum board of that number."
        return [wrong("boards", cell.name, f"board {cell.board} can't be read: {refusal}", mend)]


def of_sprints(cell: Cell, sprints: Iterable[Sprint]) -> Iterator[Finding]:
    """Whether there is one running sprint, and Stretch Goals."""
    known = list(sprints)
    active = [sprint.name for sprint in known if sprint.state == "active"]
    if not any(cell.is_stretch_goals(sprint) for sprint in known):
        what = f"board {cell.board} has no sprint named “{cell.stretch_goals}”"
        mend = "Make one in Jira that is never started, or correct stretch_goals in crafty.toml."
        yield wrong("boards", f"{cell.name}: Stretch Goals", what, mend)
    if len(active) > 1:
        what = f"{' and '.join(active)} run at once; Crafty takes the first for the running one"
        yield doubtful("boards", cell.name, what, "Close what is over, or give each cell a board of its own.")
    elif not active:
        yield doubtful(
            "boards", cell.name, f"no sprint runs on board {cell.board}", "Start one in Jira when it is time."
        )
    else:
        yield fine("boards", cell.name, f"board {cell.board} can be read; {active[0]} runs")


async def people(jira: Jira, team: Team) -> Iterable[Finding]:
    """Whether each member's account is there and open."""
    named = [person for person in team.members if person.jira]
    try:
        found = await asyncio.gather(*(_fault(jira, person.jira or "") for person in named))
    except Refused as refusal:
        if refusal.status != httpx.codes.FORBIDDEN:
            raise
        mend = "Give it the global permission Browse users and groups."
        return [unchecked("people", SYSTEM, "our account may not look people up", mend)]
    faults = {person.name: fault for person, fault in zip(named, found, strict=True) if fault}
    return of_people(SYSTEM, faults, {person.name for person in team.members if not person.jira})


async def _fault(jira: Jira, account: str) -> str:
    try:
        return "" if await jira.is_active(account) else "is inactive"
    except NotFound:
        return "is not there"


def of_people(system: str, faults: Mapping[str, str], strangers: Iterable[str]) -> Iterator[Finding]:
    """faults: what is the matter with somebody's account; strangers: those of whom crafty.toml names none."""
    key, about = system.casefold(), f"{system}: {{}}".format
    for name, fault in faults.items():
        mend = f"Correct {key} of {name} under [[people]], or take {name} out of crafty.toml."
        yield wrong("people", about(name), f"the account of {name} {fault}", mend)
    for name in sorted(strangers):
        mend = f"Add {key} to {name} under [[people]] in crafty.toml."
        yield doubtful("people", about(name), f"no account of {name} is known", mend)
    if not faults:
        yield fine("people", system, "each account that crafty.toml names is open")


async def webhooks(jira: Jira, settings: Settings) -> Iterable[Finding]:
    """Whether Jira sends us what it should; only its administrators may see that, and only at Jira's own address."""
    try:
        return of_webhooks(await jira.webhooks(), scope_of(settings))
    except NotFound:
        if settings.jira_api_url is None:
            raise
        return [hidden()]
    except Refused as refusal:
        if refusal.status not in {401, 403}:
            raise
        return [hidden()]
