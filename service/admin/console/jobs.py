"""Outgoing work: what waits, what failed, and what admins can do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, get_args

from service.admin.console.deliveries import position
from service.admin.console.desk import Done, Page, Visit
from service.admin.office import Office
from service.steering import Actor, GoneError, State

PAGE: Final = 50


async def jobs(office: Office, visit: Visit) -> Page:
    """The work in one state; what failed is the list of dead letters."""
    state = _state(visit.query.get("state", "failed"))
    first = position(visit.query.get("first", "0"))
    found = await office.steering.jobs(state, first, PAGE + 1)
    values = {
        "state": state,
        "states": await office.steering.counts(),
        "jobs": found[:PAGE],
        "first": first,
        "following": first + PAGE if len(found) > PAGE else 0,
    }
    return Page("jobs.html", "Jobs", values)


async def job(office: Office, visit: Visit) -> Page:
    """One piece of work in whole, with what can be done about it."""
    return Page("job.html", "Job", {"job": await office.steering.job(visit.query.get("id", ""))})


async def retry(office: Office, visit: Visit) -> Done:
    """Does a piece of work at once."""
    return await _steered(office.steering.retry, visit, "is tried again at once")


async def retry_all(office: Office, visit: Visit) -> Done:
    """Does everything at once that was given up."""
    count = await office.steering.retry_all(visit.visitor.actor)
    what = "1 piece of work is" if count == 1 else f"{count} pieces of work are"
    return Done("/console/jobs", f"{what} tried again at once.")


async def drop(office: Office, visit: Visit) -> Done:
    """Takes a piece of work away for good."""
    return await _steered(office.steering.drop, visit, "is dropped")


async def _steered(deed: Callable[[str, Actor], Awaitable[None]], visit: Visit, what: str) -> Done:
    key = visit.form.get("id", "")
    await deed(key, visit.visitor.actor)
    return Done(f"/console/jobs?state={_state(visit.form.get('state', 'failed'))}", f"{key} {what}.")


def _state(text: str) -> State:
    found: State | None = next((one for one in get_args(State) if one == text), None)
    if found is None:
        raise GoneError("There are queued, deferred and failed jobs, and no others.")
    return found
