"""Fixtures: the service as an admin and as a viewer call it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.migrations import migrate
from tests.admin.calling import VIEWER, app_with_tokens, calling
from tests.conftest import SetClock
from tests.webhooks.payloads import FIELDS


@pytest.fixture
async def api(redis: Any, redis_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's client; the store is of this version's format, Jira's fields and the bot's account are known."""
    await migrate(redis)
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    async with calling(app_with_tokens(redis_url, clock)) as client:
        yield client


@pytest.fixture
async def viewing(redis: Any, redis_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """A viewer's client."""
    async with calling(app_with_tokens(redis_url, clock), VIEWER) as client:
        yield client
