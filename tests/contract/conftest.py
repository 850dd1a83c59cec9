"""What every method of every client asks, and the stand-ins answer, found out once."""

import asyncio

import pytest

from tests.contract.calls import Exchange, every_exchange


@pytest.fixture(scope="session")
def exchanges() -> dict[tuple[str, str], list[Exchange]]:
    return asyncio.run(every_exchange())
