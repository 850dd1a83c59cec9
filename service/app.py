"""The FastAPI application: builds what the routes need, and the routes; nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from redis.asyncio import Redis
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service import store
from service.admin.auth import doorkeeper
from service.admin.office import Office
from service.admin.reception import Reception
from service.clock import Clock
from service.connections import Connections, connected
from service.current import Current
from service.engine import Rulebook
from service.errors import RedisAway
from service.facts import Team
from service.gate import SharedGate
from service.gather import Gatherer
from service.ledger import Ledger
from service.metrics import Metrics, Reader
from service.migrations import lacking, migrate_when_it_answers
from service.rehearsal import Rehearsal
from service.roster import attention_from
from service.settings import Settings
from service.steering import steering
from service.telemetry import queue_of
from service.webhooks.intake import Intake
from service.webhooks.routes import PATH, Webhooks, problem
from service.webhooks.sources import Sources

_WAYS_OUT: Final = {
    404: "there is nothing at this address; /docs lists what there is",
    405: "this address does not take that method; Allow names those that it takes",
}
"""What is said where no route fits, by status."""

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Express(FastAPI):
    """Takes deliveries past FastAPI and its middleware, which are 12 % of the time that each takes."""

    deliveries: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_delivery = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(PATH)
        await (self.deliveries if is_delivery else super().__call__)(scope, receive, send)


def create_app(settings: Settings, redis_url: str, team: Team, book: Rulebook, clock: Clock) -> FastAPI:
    """The application on the Redis at `redis_url`; it starts and serves even while Redis is away."""
    redis = Redis(connection_pool=store.connect(redis_url))
    connections = connected(settings, SharedGate(redis, clock))
    office = _office(settings, redis, connections, team, book, clock)
    metrics = _metrics(office)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        migrating = asyncio.create_task(migrate_when_it_answers(redis))
        yield
        await store.give_up(migrating)
        await connections.aclose()
        await redis.aclose(close_connection_pool=True)

    app = Express(
        title="Crafty", summary=__doc__, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.state.office, app.state.metrics = office, metrics
    reception = Reception(app, office)
    app.openapi = reception.described  # type: ignore[method-assign] # FastAPI's own way to add to the document
    webhooks = metrics.answers.counted(Webhooks(office.intake, settings.max_body_bytes, clock))
    app.deliveries = ServerErrorMiddleware(webhooks, _failed)
    app.router.routes.append(Route(f"{PATH}{{source}}", webhooks, methods=["POST"]))
    app.router.routes.append(reception)
    _answer_errors(app)
    _tell_of_health(app, redis)
    if settings.metrics_port is None:
        _tell_prometheus(app, metrics)
    return app


def _office(
    settings: Settings, redis: Redis, connections: Connections, team: Team, book: Rulebook, clock: Clock
) -> Office:
    ledger = Ledger(redis)
    current = Current(ledger, book)
    gatherer = Gatherer(connections.jira, connections.readers, team, ledger)
    return Office(
        settings=settings,
        team=team,
        clock=clock,
        redis=redis,
        ledger=ledger,
        current=current,
        steering=steering(redis, clock, current, [cell.name for cell in team.cells]),
        doorkeeper=doorkeeper(redis, settings),
        intake=Intake(settings, team, current, queue_of(settings, redis, clock)),
        rehearsal=Rehearsal(
            Sources(settings, team), team, current, ledger, gatherer, settings.config.jira.fields_.model_dump(), clock
        ),
    )


def _metrics(office: Office) -> Metrics:
    attention = attention_from(office.settings.config.messages)
    reader = Reader(office.redis, office.ledger, office.steering, attention, office.team)
    return Metrics(reader, office.current, office.clock)


def _answer_errors(app: FastAPI) -> None:
    """Every error is of one kind, those of unknown addresses and methods too."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, refusal: HTTPException) -> Response:
        headers = {"Allow": _allowed(request)} if refusal.status_code == 405 else refusal.headers
        return problem(refusal.status_code, _WAYS_OUT.get(refusal.status_code, refusal.detail), headers)

    app.add_exception_handler(Exception, _failed)


async def _failed(_: Request, error: Exception) -> Response:
    return problem(500, f"Crafty failed ({type(error).__name__}); its log says more")


def _allowed(request: Request) -> str:
    """The methods that an address takes, of all routes that have it."""
    named = ({**request.scope, "method": method} for method in _METHODS)
    return ", ".join(
        scope["method"] for scope in named if any(one.matches(scope)[0] is Match.FULL for one in request.app.routes)
    )


def _tell_of_health(app: FastAPI, redis: Redis) -> None:
    """What load balancers ask."""

    @app.get("/healthz", tags=["health"])
    async def healthz() -> Response:
        """Whether this process is alive."""
        return JSONResponse({"status": "alive"})

    @app.get("/readyz", tags=["health"], responses={503: {"description": "Redis can't be reached, or is not ready"}})
    async def readyz() -> Response:
        """Whether deliveries can be taken: Redis answers, and what is stored is of this version's format.

        The configuration was loaded when this process started.
        """
        try:
            reason = await lacking(redis)
        except RedisAway as away:
            reason = str(away)
        return problem(503, reason) if reason else JSONResponse({"status": "ready"})


def _tell_prometheus(app: FastAPI, metrics: Metrics) -> None:
    """What monitoring asks, unless that has a port of its own."""

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def metrics_page() -> Response:
        """Prometheus metrics: of all processes together, and of this one. No token is needed; no person is named."""
        return await metrics.answer()
