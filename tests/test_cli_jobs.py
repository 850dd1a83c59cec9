"""`crafty jobs`: what was given up is listed, and tried again one by one or all at once."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.clock import utc_now
from service.queue import Queue
from tests.builders import CONFIG
from tests.test_cli import crafty
from tests.test_steering import comment, given_up


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crafty.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
async def dead(redis: Redis, redis_url: str) -> dict[str, str]:
    """The environment of a command, in whose Redis three pieces of work were given up."""
    await given_up(Queue(redis, utc_now), redis, *(comment(f"SE-{number}") for number in range(3)))
    return {"CRAFTY_REDIS_URL": redis_url}


async def test_what_was_given_up_is_listed_and_tried_again_by_one_or_all(
    folder: Path, dead: dict[str, str], redis: Redis
) -> None:
    one = crafty(folder, "jobs", "retry", "missing-reviewer:SE-0:s", environ=dead)
    listed = crafty(folder, "jobs", environ=dead).stdout
    rest = crafty(folder, "jobs", "retry", "--all", environ=dead)
    assert ["SE-0:s" in listed, "SE-1:s" in listed, "no right to" in listed] == [False, True, True]
    assert one.stdout == "1 piece of work will be tried again at once.\n"
    assert rest.stdout == "2 pieces of work will be tried again at once.\n"
    assert crafty(folder, "jobs", "retry", "--all", environ=dead).stdout == "Nothing was given up.\n"
    assert (await redis.zcard("crafty:failed"), await redis.zcard("crafty:due")) == (0, 3)


async def test_what_there_is_not_is_wrong_use(folder: Path, dead: dict[str, str]) -> None:
    shown = crafty(folder, "jobs", "retry", "look:x:SE-9", environ=dead)
    assert (shown.returncode, shown.stdout, shown.stderr) == (2, "", "There is no job look:x:SE-9, or it is done.\n")
