"""What comes in is bounded: how deep, how much, how slowly, how much at once, and what stays of it."""

import asyncio
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from service.arrival import Arrival
from service.contributions import Note
from service.demo.server import _QuietServer
from service.errors import Rejected
from service.jira_shapes import FieldMap
from service.ledger import Contributed, Delivery, Ledger, Site
from service.queue import Queue, Taken
from service.webhooks._shape import DEEPEST, MOST_MARKS, SMALL_BYTES, check_shape
from service.webhooks.intake import MOST_KEPT_BYTES, MOST_TOLD_BYTES
from service.webhooks.routes import Room
from tests import builders
from tests.conftest import SetClock
from tests.webhooks.payloads import FIELDS, RUNNING, body, issue_fields, issue_updated
from tests.webhooks.test_answers import app_of, client_of, post_jira

# The shape of a body


def padded(inner: bytes) -> bytes:
    """A large body with this inside."""
    return b'{"text": "' + b"x" * SMALL_BYTES + b'", "inner": ' + inner + b"}"


@pytest.mark.parametrize(
    ("inner", "status"),
    [
        pytest.param(b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1), None, id="as deep as may be"),
        pytest.param(b"[" * DEEPEST + b"]" * DEEPEST, 400, id="a level deeper"),
        pytest.param(b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST, 400, id="a level deeper, of objects"),
        pytest.param(b"[[]," * DEEPEST, 400, id="a level deeper and never closed"),
        pytest.param(b"[" + b"[],[]," * 9_000 + b"1]", None, id="many lists that are not deep"),
        pytest.param(b"[" + b"1," * (MOST_MARKS - 5) + b"1]", None, id="as many values as may be"),
        pytest.param(b"[" + b"1," * (MOST_MARKS - 4) + b"1]", 413, id="a value more"),
        pytest.param(b"[" + b"{}," * (MOST_MARKS // 2) + b"1]", 413, id="too many objects"),
        pytest.param(b'"' + b"[{," * MOST_MARKS + b'"', None, id="brackets and commas in a text"),
        pytest.param(b'"\\\\\\"' + b"[" * MOST_MARKS + b'"', None, id="brackets in a text after an escaped quote"),
        pytest.param(b'"' + b"[" * MOST_MARKS, None, id="a text that never ends"),
    ],
)
def test_a_body_is_neither_too_deep_nor_too_rich(inner: bytes, status: int | None) -> None:
    assert refusal_of(padded(inner)) == status


def refusal_of(data: bytes) -> int | None:
    try:
        check_shape(data)
    except Rejected as rejected:
        return rejected.status
    return None


def test_a_small_body_is_not_looked_at() -> None:
    assert refusal_of(b"[" * SMALL_BYTES) is None
    assert refusal_of(b"[" * (SMALL_BYTES + 1)) == 400


def test_the_largest_body_is_looked_at_in_no_time() -> None:
    size = 5 * 1024 * 1024
    for piece in (b"[", b'"",', b'\\"'):
        started = time.thread_time()
        refusal_of(piece * (size // len(piece)))
        assert time.thread_time() - started < 1


@pytest.fixture
async def crafty(redis: Any, redis_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """The service, with Jira's fields known."""
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS)))
    app = app_of(redis_url, clock)
    async with app.router.lifespan_context(app), client_of(app) as http:
        yield http


async def test_a_sender_is_told_what_was_too_much(crafty: httpx.AsyncClient) -> None:
    deep, rich = padded(b"[" * DEEPEST + b"]" * DEEPEST), padded(b"[" + b"1," * MOST_MARKS + b"1]")
    answers = [await post_jira(crafty, data) for data in (deep, rich)]
    assert [answer.status_code for answer in answers] == [400, 413]
    assert [answer.headers["content-type"] for answer in answers] == ["application/problem+json"] * 2
    assert [f"{DEEPEST} levels" in answers[0].text, f"{MOST_MARKS} values" in answers[1].text] == [True, True]


# What stays of a delivery


async def test_a_body_that_hardly_packs_is_decided_on_but_not_kept(crafty: httpx.AsyncClient, redis: Any) -> None:
    noise = random.Random(1).randbytes(MOST_KEPT_BYTES + 200_000).hex()
    answer = await post_jira(crafty, body({**issue_updated(), "attachment": noise}))
    stored = await Ledger(redis).delivery(answer.json()["delivery"])
    assert (answer.status_code, bool(answer.json()["decisions"])) == (202, True)
    assert stored is not None
    assert (stored[0].subject, stored[1]) == ("SE-1", b"")


async def test_what_would_fill_the_timeline_is_refused_and_nothing_of_it_stored(
    crafty: httpx.AsyncClient, redis: Any
) -> None:
    sprint = {**RUNNING, "name": "S" * MOST_TOLD_BYTES}
    answer = await post_jira(crafty, body(issue_updated(issue_fields(customfield_10020=[sprint]))))
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert await redis.keys("crafty:delivery:*") == []
    assert await redis.keys("crafty:timeline*") == []


def told(number: int, *notes: Note) -> Taken:
    """A delivery about the topic 77, with these notes."""
    at = builders.wall("2026-11-03 10:00")
    delivery = Delivery(id=f"d-{number}", source="discourse", event="post_created", subject="topic:77", received=at)
    return Taken(delivery=delivery, marks=[f"d-{number}"], noted=Contributed(key="topic:77", notes=notes))


async def test_a_subject_s_timeline_keeps_the_latest_events(redis: Any, clock: SetClock) -> None:
    queue = Queue(redis, clock)
    await asyncio.gather(*(queue.ingest(told(number), "0") for number in range(700)))
    assert 500 <= await redis.xlen("crafty:timeline:topic:77") < 700


async def test_a_contribution_keeps_its_first_thousand_answers_and_its_end(redis: Any, clock: SetClock) -> None:
    answers = [Note(what="answered", at=clock(), id=f"post-{number}") for number in range(1_500)]
    await Queue(redis, clock).ingest(told(1, *answers, Note(what="closed", at=clock())), "0")
    kept = {name.decode() for name in await redis.hkeys("crafty:contribution:topic:77")}
    assert len(kept) == 1_001
    assert {"answered:post-0", "answered:post-999", f"closed:{clock().isoformat()}"} <= kept


# How it arrives


class Strict(Arrival):
    """Limits that are soon reached, but for the time."""

    head_bytes = 2_000
    connections_at_once = 3


class Hasty(Strict):
    """The time is up soon, too."""

    seconds = 0.2


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the size of the body."""
    try:
        answer = PlainTextResponse(f"{len(await Request(scope, receive).body())}")
    except ClientDisconnect:
        answer = PlainTextResponse("broken off", 400)
    await answer(scope, receive, send)


@asynccontextmanager
async def serving(protocol: type[Arrival]) -> AsyncIterator[tuple[int, set[Any]]]:
    """A server whose requests arrive this way: its port and its connections."""
    config = uvicorn.Config(echo, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    server = _QuietServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await server.listens.wait()
        yield listener.getsockname()[1], server.server_state.connections
        server.should_exit = True
        await running


async def answer_to(port: int, *bits: bytes) -> bytes:
    """The head of the answer to what is sent bit by bit."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dribbling = asyncio.create_task(dribble(writer, *bits))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    dribbling.cancel()
    writer.close()
    return head


async def dribble(writer: asyncio.StreamWriter, *bits: bytes) -> None:
    for bit in bits:
        writer.write(bit)
        await asyncio.sleep(0.002)


HEAD = b"POST / HTTP/1.1\r\nHost: crafty\r\n"
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WITHOUT_END = 10_000


@pytest.mark.parametrize(
    "bits",
    [
        pytest.param([], id="nothing at all"),
        pytest.param([b"P"], id="one letter"),
        pytest.param([HEAD, *([b"X"] * WITHOUT_END)], id="a letter of a header now and then"),
        pytest.param([HEAD + b"Content-Length: 99999\r\n\r\n", *([b"x"] * WITHOUT_END)], id="a byte now and then"),
        pytest.param(
            [CHUNKS, *([b"1\r\nx\r\n"] * WITHOUT_END)],
            id="a chunk now and then",
        ),
    ],
)
async def test_who_dribbles_is_cut_off(bits: list[bytes]) -> None:
    async with serving(Hasty) as (port, _):
        head = await answer_to(port, *bits)
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in head


@pytest.mark.parametrize(
    ("bits", "status"),
    [
        pytest.param([HEAD, b"X: " + b"y" * 2_000], 431, id="an endless header"),
        pytest.param([HEAD, *([b"X: " + b"y" * 90 + b"\r\n"] * 30)], 431, id="headers without end"),
        pytest.param([CHUNKS, b"1\r\nx\r\n0\r\n", *([b"X: " + b"y" * 90] * 30)], 431, id="trailers without end"),
        pytest.param([CHUNKS, b"1;" + b"e" * 2_000], 431, id="an endless word beside a chunk's size"),
        pytest.param([CHUNKS, b"1388\r\n" + b"x" * 5_000 + b"\r\n", b"0\r\n\r\n"], 200, id="chunks"),
        pytest.param([HEAD + b"Content-Length: 3\r\n\r\n", b"abc"], 200, id="a request in two parts"),
        pytest.param([HEAD, b"Content-Length: 5000\r\n\r\n" + b"x" * 5_000], 200, id="a body larger than a head"),
    ],
)
async def test_headers_may_be_so_large_and_no_larger(bits: list[bytes], status: int) -> None:
    async with serving(Strict) as (port, _):
        head = await answer_to(port, *bits)
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"application/problem+json" in head) is (status == 431)


async def test_each_request_has_its_own_time_and_none_runs_between_them() -> None:
    async with serving(Strict) as (port, connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(HEAD + b"Content-Length: 3\r\n\r\nab")
            await asyncio.sleep(0.05)
            assert [one._deadline is None for one in connections] == [False]
            writer.write(b"c")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(1) == b"3"
            assert [one._deadline is None for one in connections] == [True]
        writer.close()


async def test_a_connection_too_many_is_told_to_come_again() -> None:
    async with serving(Strict) as (port, _):
        others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        head = await answer_to(port)
        for _, other in others:
            other.close()
    assert head.startswith(b"HTTP/1.1 503 ")
    assert re.search(rb"retry-after: [1-9]", head)


# How much at once


def test_room_is_given_back_when_a_delivery_is_done_or_refused() -> None:
    room = Room(10)
    for _ in range(3):
        with room.taker() as take, room.taker() as take_too:
            take(6)
            with pytest.raises(Rejected) as refusal:
                take_too(5)
        assert refusal.value.status == 503
    with room.taker() as take:
        take(10)


PAYLOAD = 5 * 1024 * 1024
SENDERS = 40
MOST_GROWN = 150 * 1024 * 1024


async def test_the_api_bounds_its_headers_and_the_memory_of_many_large_bodies(tmp_path: Path) -> None:
    with api(tmp_path) as (number, process):
        head = await answer_to(number, HEAD, *([b"X: " + b"y" * 8_000 + b"\r\n"] * 20))
        before = memory_of(process)
        answers = await asyncio.gather(*(large(number) for _ in range(SENDERS)))
        grown = memory_of(process) - before
    assert head.startswith(b"HTTP/1.1 431 ")
    assert {answer[:12] for answer in answers} <= {b"HTTP/1.1 503", b"HTTP/1.1 401"}
    assert grown < MOST_GROWN


async def large(number: int) -> bytes:
    """The answer to a body of the largest size, of which the last byte comes when most of the others are here too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    head = b"POST /webhooks/jira HTTP/1.1\r\nHost: crafty\r\nContent-Length: %d\r\n\r\n" % PAYLOAD
    with suppress(ConnectionError):
        writer.write(head + b" " * (PAYLOAD - 1))
        await asyncio.wait_for(writer.drain(), 60)
        await asyncio.sleep(0.3)
        writer.write(b" ")
    answer = await reader.read(12)
    writer.close()
    return answer


def memory_of(process: int) -> int:
    """The most bytes that it ever held."""
    (peak,) = re.findall(r"VmHWM:\s+([0-9]+) kB", Path(f"/proc/{process}/status").read_text())
    return int(peak) * 1024


@contextmanager
def api(folder: Path) -> Iterator[tuple[int, int]]:
    """`crafty api` as people run it, without a Redis: its port and its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    environ = {
        **os.environ,
        "CRAFTY_PORT": str(number),
        "CRAFTY_REDIS_URL": f"unix://{folder}/nowhere.sock",
        "CRAFTY_JIRA_WEBHOOK_SECRET": "secret",
        "CRAFTY_LOG_LEVEL": "CRITICAL",
    }
    process = subprocess.Popen([sys.executable, "-m", "service.cli", "api"], cwd=folder, env=environ)
    try:
        wait_until_it_listens(number)
        yield number, process.pid
    finally:
        process.terminate()
        process.wait()


@retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(60), wait=wait_fixed(0.05), reraise=True)
def wait_until_it_listens(number: int) -> None:
    socket.create_connection(("127.0.0.1", number), timeout=1).close()
