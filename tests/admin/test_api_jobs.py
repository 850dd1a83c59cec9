"""Outgoing work over the API: its states, trying again and dropping."""

from urllib.parse import quote

import httpx
import pytest
from redis.asyncio import Redis

from service.queue import Queue, look_again, site, sweep
from tests.admin.calling import deliver, pages, told
from tests.conftest import SetClock
from tests.test_steering import comment, given_up, started

JOBS = "/api/v1/jobs"
CONTRIBUTION = "github:a/b#1"


@pytest.fixture
def queue(redis: Redis, clock: SetClock) -> Queue:
    return Queue(redis, clock)


def at(job: str) -> str:
    """Where a job is found."""
    return f"{JOBS}/{quote(job, safe='')}"


async def ids(client: httpx.AsyncClient, state: str) -> list[str]:
    return [one["id"] for one in (await client.get(JOBS, params={"state": state})).json()["items"]]


async def test_dead_letters_are_listed_where_no_state_is_named(
    api: httpx.AsyncClient, queue: Queue, redis: Redis
) -> None:
    await given_up(queue, redis, comment("SE-1"))
    (found,) = (await api.get(JOBS)).json()["items"]
    assert (found["state"], found["kind"], found["rule"], found["subject"]) == (
        "failed",
        "perform",
        "missing-reviewer",
        "SE-1",
    )
    assert (found["error"], found["payload"]["kind"]) == ("no right to", "comment")


async def test_work_goes_from_deferred_to_queued(api: httpx.AsyncClient, clock: SetClock) -> None:
    await deliver(api, "d-1")
    before = [await ids(api, state) for state in ("deferred", "queued")]
    clock.advance(minutes=2)
    after = [await ids(api, state) for state in ("deferred", "queued")]
    assert before == after[::-1]
    assert "look:missing-reviewer:SE-1" in before[0]


async def test_the_pages_have_all_of_it_once(api: httpx.AsyncClient, queue: Queue, clock: SetClock) -> None:
    await queue.want(*(look_again("spillover", f"SE-{number}", clock.advance(seconds=1)) for number in range(5)))
    found = await pages(api, JOBS, state="queued", limit=2)
    assert [[one["subject"] for one in page] for page in found] == [["SE-0", "SE-1"], ["SE-2", "SE-3"], ["SE-4"]]


async def test_a_dead_letter_that_is_retried_is_queued_and_the_audit_log_says_who_did_it(
    api: httpx.AsyncClient, queue: Queue, redis: Redis
) -> None:
    await given_up(queue, redis, comment(CONTRIBUTION))
    (job,) = await ids(api, "failed")
    answer = await api.post(f"{at(job)}/retry")
    (line,) = (await api.get("/api/v1/audit")).json()["items"]
    assert (answer.status_code, answer.json()["state"], answer.json()["tries"]) == (202, "queued", 0)
    assert (await ids(api, "failed"), await ids(api, "queued")) == ([], [job])
    assert (line["who"], line["what"]) == ("ada", f"retry job {job}")


async def test_everything_that_was_given_up_is_retried_at_once(
    api: httpx.AsyncClient, queue: Queue, redis: Redis
) -> None:
    await given_up(queue, redis, *(comment(f"SE-{number}") for number in range(3)))
    jobs = set(await ids(api, "failed"))
    answer = await api.post(f"{JOBS}/retry")
    assert (answer.status_code, answer.json()) == (202, {"retried": 3})
    assert (await ids(api, "failed"), set(await ids(api, "queued"))) == ([], jobs)
    lines = (await api.get("/api/v1/audit")).json()["items"]
    assert {line["what"] for line in lines} == {f"retry job {job}" for job in jobs}
    assert (await api.post(f"{JOBS}/retry")).json() == {"retried": 0}


async def test_what_is_dropped_is_gone(api: httpx.AsyncClient, queue: Queue, redis: Redis) -> None:
    await given_up(queue, redis, comment(CONTRIBUTION))
    (job,) = await ids(api, "failed")
    answer = await api.delete(at(job))
    assert (answer.status_code, answer.content, await ids(api, "failed")) == (204, b"", [])
    assert told(await api.delete(at(job)))[0] == 404


@pytest.mark.parametrize(("method", "suffix"), [("POST", "/retry"), ("DELETE", "")])
async def test_what_there_is_not_is_not_found(api: httpx.AsyncClient, method: str, suffix: str) -> None:
    status, detail = told(await api.request(method, f"{at('look:a:SE-1')}{suffix}"))
    assert (status, detail) == (404, "there is no job look:a:SE-1, or it is done")


@pytest.mark.parametrize(("method", "suffix"), [("POST", "/retry"), ("DELETE", "")])
async def test_what_is_under_way_is_let_be(
    api: httpx.AsyncClient, queue: Queue, redis: Redis, method: str, suffix: str
) -> None:
    await queue.want(comment())
    work = await started(queue, redis)
    assert told(await api.request(method, f"{at(work.key)}{suffix}"))[0] == 409


async def test_what_comes_again_by_itself_can_not_be_dropped(
    api: httpx.AsyncClient, queue: Queue, clock: SetClock
) -> None:
    await queue.want(site(clock()), sweep("Serenity", clock()))
    for job in ("site", "sweep:Serenity"):
        assert told(await api.delete(at(job)))[0] == 409
        assert (await api.post(f"{at(job)}/retry")).status_code == 202
