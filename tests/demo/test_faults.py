"""Rough weather: what a caller meets of each fault, whether the call was carried out, and how often it comes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import httpx
import pytest
from fastapi import FastAPI

from service.clients._http import Api, Credential
from service.demo._faults import (
    BUSY,
    CUT_AFTER,
    CUT_BEFORE,
    ELSEWHERE,
    EMPTY,
    HALF,
    PAGE,
    PASSING,
    PLAIN,
    SIGNED_OUT,
    SLOW,
    Exposed,
    Fault,
    Weather,
    rough,
    says,
)
from service.demo.server import serve
from service.errors import CraftyError, NotSignedInError, TryLater


@asynccontextmanager
async def notebook(weather: Weather) -> AsyncIterator[tuple[Api, list[str]]]:
    """A service out in the weather, and what was written there."""
    written: list[str] = []
    app = FastAPI()

    @app.post("/notes", status_code=201)
    async def write(note: dict[str, str]) -> dict[str, str]:
        written.append(note["text"])
        return {"id": "1", **note}

    async with serve(Exposed(app, weather)) as url:
        api = Api("Notes", url, Credential("NOTES_TOKEN", {}, ()))
        try:
            yield api, written
        finally:
            await api.aclose()


@pytest.mark.parametrize(
    ("fault", "error", "written"),
    [
        pytest.param(says(500), TryLater, [], id="an error before it was done"),
        pytest.param(says(502, is_done=True), TryLater, ["hello"], id="a gateway that gave up too early"),
        pytest.param(CUT_BEFORE, TryLater, [], id="cut before it was done"),
        pytest.param(CUT_AFTER, TryLater, ["hello"], id="cut after it was done"),
        pytest.param(HALF, TryLater, ["hello"], id="half an answer"),
        pytest.param(EMPTY, TryLater, ["hello"], id="no answer's body"),
        pytest.param(BUSY, TryLater, [], id="too many calls"),
        pytest.param(PAGE, NotSignedInError, [], id="a login page"),
        pytest.param(ELSEWHERE, NotSignedInError, [], id="a redirect to one"),
        pytest.param(SIGNED_OUT, NotSignedInError, [], id="a credential that is not accepted for once"),
        pytest.param(PLAIN, None, ["hello"], id="a wrong content type does no harm"),
        pytest.param(SLOW, None, ["hello"], id="nor does a slow answer"),
    ],
)
async def test_what_a_caller_meets_and_what_was_done(
    fault: Fault, error: type[CraftyError] | None, written: list[str]
) -> None:
    async with notebook(Weather(once={1: fault})) as (api, notes):
        met = await _write(api, "hello")
        assert notes == written
        again = await _write(api, "again")
    assert (met, again, notes) == (error, None, [*written, "again"])


async def _write(api: Api, text: str) -> type[CraftyError] | None:
    """What it ended in; None for an answer."""
    try:
        await api.request("POST", "/notes", json={"text": text}, into=dict[str, str])
    except TryLater:
        return TryLater
    except NotSignedInError:
        return NotSignedInError
    return None


async def test_a_429_says_when_to_come_back() -> None:
    async with notebook(Weather(once={1: BUSY})) as (api, _):
        with pytest.raises(TryLater) as fault:
            await api.request("POST", "/notes", json={"text": "hello"}, into=dict[str, str])
    assert fault.value.after == 30


async def test_a_write_that_met_a_login_page_is_not_taken_for_done() -> None:
    async with notebook(Weather(once={1: PAGE})) as (api, written):
        with pytest.raises(NotSignedInError, match="with a web page instead of JSON"):
            await api.send("POST", "/notes", json={"text": "hello"})
    assert written == []


async def test_a_redirect_is_not_followed_with_the_credential() -> None:
    async with notebook(Weather(once={1: says(307, location="/notes")})) as (api, written):
        with pytest.raises(NotSignedInError, match="a redirect"):
            await api.send("POST", "/notes", json={"text": "hello"})
    assert written == []


def test_faults_come_at_the_rate_that_is_asked_for() -> None:
    weather = Weather(0.1, Random(7))
    met = [weather.fault() for _ in range(2000)]

    assert 150 < len([one for one in met if one]) == weather.struck.total() < 250
    assert weather.struck.keys() == {fault.name for fault in PASSING}


def test_a_seed_draws_the_same_weather_each_time_and_nothing_fails_before_it_begins() -> None:
    first, again, other = (rough(0.1, seed)["jira"] for seed in (7, 7, 8))
    assert first.fault() is None

    def strikes(weather: Weather) -> list[str]:
        weather.has_begun = True
        met = (weather.fault() for _ in range(200))
        return [one.name for one in met if one]

    assert strikes(first) == strikes(again) != strikes(other)


async def test_what_is_not_struck_is_answered_as_it_is() -> None:
    async with notebook(Weather()) as (api, written):
        answer = await api.send("POST", "/notes", json={"text": "hello"})
    assert (answer.status_code, answer.json()) == (201, {"id": "1", "text": "hello"})
    assert written == ["hello"]
    assert isinstance(answer, httpx.Response)
