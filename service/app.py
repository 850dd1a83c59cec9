"""The FastAPI application: builds what the routes need, and the routes; nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from redis.asyncio import Redis
from starlette.exceptions import HTTPException

from service import store
from service.clock import Clock
from service.current import Current
from service.engine import Rulebook
from service.errors import RedisAway
from service.facts import Team
from service.ledger import Ledger
from service.queue import Queue
from service.settings import Settings
from service.webhooks.intake import Intake
from service.webhooks.routes import problem, webhook_route


def create_app(settings: Settings, redis_url: str, team: Team, book: Rulebook, clock: Clock) -> FastAPI:
    """The application on the Redis at `redis_url`; it starts and serves even while Redis is away."""
    redis = Redis(connection_pool=store.connect(redis_url))
    ledger = Ledger(redis)
    intake = Intake(settings, team, Current(ledger, book), Queue(redis, clock))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await redis.aclose(close_connection_pool=True)

    app = FastAPI(title="Crafty", summary=__doc__, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    app.router.routes.append(webhook_route(intake, settings.max_body_bytes, clock))

    @app.exception_handler(HTTPException)
    async def refused(_: Request, refusal: HTTPException) -> Response:
        """Every error is of one kind, those of unknown addresses and methods too."""
        return problem(refusal.status_code, str(refusal.detail), refusal.headers)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether this process is alive."""
        return {"status": "alive"}

    @app.get("/readyz", responses={503: {"description": "Redis can't be reached"}})
    async def readyz() -> Response:
        """Whether deliveries can be taken: Redis answers; the configuration was loaded when this process started."""
        try:
            await ledger.ping()
        except RedisAway as away:
            return problem(503, str(away))
        return JSONResponse({"status": "ready"})

    return app
