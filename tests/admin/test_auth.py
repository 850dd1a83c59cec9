"""Who may look and who may change: tokens, roles, and a limit on guesses."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.admin.auth import GUESSES, Doorkeeper, TooManyGuessesError, Visitor, WrongTokenError, doorkeeper
from service.errors import RedisAway
from service.settings import load
from service.steering import Actor

HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"
TOKENS = {
    "CRAFTY_ADMIN_TOKENS": "ada:token-of-ada, grace:token-of-grace",
    "CRAFTY_VIEWER_TOKENS": "vera:token-of-vera",
}


@pytest.fixture
def door(redis: Redis, tmp_path: Path) -> Doorkeeper:
    return doorkeeper(redis, load(TOKENS, tmp_path))


async def guess(door: Doorkeeper, times: int, origin: str = HERE) -> None:
    """Shows that many wrong tokens."""
    for number in range(times):
        with pytest.raises(WrongTokenError):
            await door.admit(f"guess {number}", origin)


@pytest.mark.parametrize(
    ("token", "visitor"),
    [
        pytest.param("token-of-ada", Visitor("ada", "admin", HERE), id="an admin"),
        pytest.param("token-of-grace", Visitor("grace", "admin", HERE), id="another one"),
        pytest.param("token-of-vera", Visitor("vera", "viewer", HERE), id="a viewer"),
    ],
)
async def test_a_token_says_who_comes(door: Doorkeeper, token: str, visitor: Visitor) -> None:
    assert await door.admit(token, HERE) == visitor
    assert visitor.actor == Actor(visitor.name, HERE)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="none"),
        pytest.param("token-of-ad", id="one letter less"),
        pytest.param("token-of-adaa", id="one letter more"),
        pytest.param("TOKEN-OF-ADA", id="capitals"),
        pytest.param("ada", id="a name"),
        pytest.param("ada:token-of-ada", id="name and token"),
        pytest.param("tökén", id="other letters"),
        pytest.param("x" * 100_000, id="very long"),
    ],
)
async def test_a_wrong_token_admits_nobody_and_is_not_repeated(door: Doorkeeper, token: str) -> None:
    with pytest.raises(WrongTokenError) as caught:
        await door.admit(token, HERE)
    assert not token or token not in str(caught.value)


async def test_where_no_token_is_set_nobody_is_admitted(redis: Redis, tmp_path: Path) -> None:
    door = doorkeeper(redis, load({}, tmp_path))
    for token in ("", "x"):
        with pytest.raises(WrongTokenError):
            await door.admit(token, HERE)


async def test_the_twentieth_guess_is_answered_and_the_next_token_is_refused_though_it_is_right(
    door: Doorkeeper,
) -> None:
    await guess(door, GUESSES)
    assert GUESSES == 20
    for token in ("token-of-ada", "one more guess"):
        with pytest.raises(TooManyGuessesError):
            await door.admit(token, HERE)


async def test_after_nineteen_guesses_the_right_token_is_admitted(door: Doorkeeper) -> None:
    await guess(door, GUESSES - 1)
    assert (await door.admit("token-of-ada", HERE)).name == "ada"


async def test_guesses_of_one_address_are_not_another_s(door: Doorkeeper) -> None:
    await guess(door, GUESSES)
    assert (await door.admit("token-of-ada", ELSEWHERE)).origin == ELSEWHERE
    await guess(door, 1, ELSEWHERE)


async def test_guesses_count_for_all_processes_together(door: Doorkeeper, redis: Redis, tmp_path: Path) -> None:
    await guess(door, GUESSES)
    with pytest.raises(TooManyGuessesError):
        await doorkeeper(redis, load(TOKENS, tmp_path)).admit("token-of-ada", HERE)


async def test_guesses_that_come_at_once_are_counted_each(door: Doorkeeper) -> None:
    tries = [door.admit(f"guess {number}", HERE) for number in range(GUESSES)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert {type(one) for one in found} == {WrongTokenError}
    with pytest.raises(TooManyGuessesError):
        await door.admit("token-of-ada", HERE)


async def test_of_more_guesses_that_come_at_once_only_twenty_are_answered(door: Doorkeeper) -> None:
    tries = [door.admit(f"guess {number}", HERE) for number in range(3 * GUESSES)]
    found = [type(one) for one in await asyncio.gather(*tries, return_exceptions=True)]
    assert (found.count(WrongTokenError), found.count(TooManyGuessesError)) == (GUESSES, 2 * GUESSES)


async def test_right_tokens_are_not_limited(door: Doorkeeper) -> None:
    for _ in range(GUESSES + 1):
        assert (await door.admit("token-of-vera", HERE)).role == "viewer"


async def test_a_visitor_who_shows_no_token_is_no_guess(door: Doorkeeper) -> None:
    for _ in range(GUESSES + 1):
        with pytest.raises(WrongTokenError):
            await door.admit("", HERE)
    assert (await door.admit("token-of-ada", HERE)).name == "ada"


async def test_after_a_minute_tokens_are_looked_at_again(door: Doorkeeper, redis: Redis) -> None:
    await guess(door, GUESSES)
    assert 0 < await redis.ttl(f"crafty:guesses:{HERE}") <= 60
    await redis.expire(f"crafty:guesses:{HERE}", 0)
    assert (await door.admit("token-of-ada", HERE)).name == "ada"


async def test_the_minute_counts_from_the_first_guess(door: Doorkeeper, redis: Redis) -> None:
    await guess(door, 1)
    await redis.expire(f"crafty:guesses:{HERE}", 30)
    await guess(door, 1)
    assert await redis.ttl(f"crafty:guesses:{HERE}") <= 30


async def test_tokens_are_never_shown(door: Doorkeeper) -> None:
    assert "token-of" not in repr(door)


async def test_without_redis_nobody_is_admitted(tmp_path: Path) -> None:
    away = Redis(unix_socket_path=str(tmp_path / "no.sock"))
    with pytest.raises(RedisAway):
        await doorkeeper(away, load(TOKENS, tmp_path)).admit("token-of-ada", HERE)
    await away.aclose()
