"""Every address of the console, with what answers there."""

from __future__ import annotations

from starlette.routing import Route

from service.admin.console.audit import audit
from service.admin.console.decisions import decisions, subject
from service.admin.console.deliveries import deliveries, delivery, replay
from service.admin.console.desk import HEADERS, Desk, Page, Visit
from service.admin.console.jobs import drop, job, jobs, retry, retry_all
from service.admin.console.ledgers import acknowledgements, spillovers
from service.admin.console.looks import Looks, asset_route, zone_of
from service.admin.console.overview import overview
from service.admin.console.reference import reference_route
from service.admin.console.rules import rule, rules, save, set_mode, take_back
from service.admin.console.sprints import sprints
from service.admin.office import Office
from service.steering import GoneError


def console_routes(office: Office) -> list[Route]:
    """The routes under /console and /docs, to be mounted as they are."""
    looks = Looks(zone_of(office.team))
    desk = Desk(office, looks)
    return [
        asset_route(),
        reference_route(looks, HEADERS),
        *desk.door(),
        desk.page("", overview),
        desk.page("/", overview),
        desk.page("/rules", rules),
        desk.page("/rules/{name}", rule),
        desk.deed("/rules/{name}", save),
        desk.deed("/rules/{name}/mode", set_mode),
        desk.deed("/rules/{name}/back", take_back),
        desk.page("/decisions", decisions),
        desk.page("/subjects/{subject:path}", subject),
        desk.page("/deliveries", deliveries),
        desk.deed("/deliveries/{id:path}/replay", replay),
        desk.page("/deliveries/{id:path}", delivery),
        desk.page("/jobs", jobs),
        desk.page("/jobs/one", job),
        desk.deed("/jobs/retry", retry),
        desk.deed("/jobs/retry-all", retry_all),
        desk.deed("/jobs/drop", drop),
        desk.page("/sprints", sprints),
        desk.page("/spillovers", spillovers),
        desk.page("/acknowledgements", acknowledgements),
        desk.page("/audit", audit),
        desk.page("/{rest:path}", nowhere),
    ]


async def nowhere(_: Office, __: Visit) -> Page:
    """Raises GoneError: every other address under /console."""
    raise GoneError("There is no page at this address; the overview leads to all there are.")
