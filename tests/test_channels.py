"""Messages go to Slack, Teams or a mailbox with the manners of the chat: once, in working hours, and not too many."""

import asyncio
import builtins
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from service.actions import Action, Notify
from service.attention import Attention
from service.clients.channels import Channels, hidden_parts
from service.config import parse_config
from service.connections import connected
from service.doctor import Finding, examine
from service.effects import Effects, Order
from service.errors import CannotAct, ConfigError, TryLater
from service.gate import SharedGate
from service.ledger import Ledger
from service.limits import OPEN
from service.queue import perform
from service.settings import Settings, load
from service.texts import Message, paragraph
from service.toml_problems import Source
from tests.builders import ANN, BOB, CONFIG, SAM, wall
from tests.conftest import SetClock
from tests.test_jobs import FOUND, RULE, Crafty
from tests.test_redaction import logged

HELLO = Message(
    (paragraph("Hello {who}, is “{title}” yours?", who=BOB, title="@here <!channel> & [x](http://evil.example)"),)
)
TO_BOB = Notify(person=BOB, message=HELLO)
TO_TEAM = Notify(channel="via:team", message=HELLO)
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general"


@dataclass
class Elsewhere:
    """A service that takes messages as JSON. status: what it answers."""

    port: int = 0
    status: int = 200
    taken: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split()[0])
        self.taken.append(json.loads(await reader.readexactly(length)))
        headers = "Location: /elsewhere\r\nContent-Length: 0\r\nConnection: close"
        writer.write(f"HTTP/1.1 {self.status} It\r\n{headers}\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @property
    def address(self) -> str:
        return f"json://ann:hush@127.0.0.1:{self.port}/"

    @property
    def channels(self) -> Channels:
        return Channels({"bobs-mail": self.address, "team": self.address}, {"bob": "bobs-mail"}, OPEN)

    @property
    def texts(self) -> list[str]:
        return [one["message"] for one in self.taken]


@asynccontextmanager
async def serving() -> AsyncIterator[Elsewhere]:
    made = Elsewhere()
    async with await asyncio.start_server(made.answer, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    async with serving() as made:
        yield made


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock, elsewhere: Elsewhere) -> Crafty:
    """A Crafty with two messages a day, and quiet from 20:00 to 08:00. It is noon in Paris, morning in New York."""
    clock.now = wall("2026-11-03 15:00")
    made = Crafty(redis, clock, attention=Attention(pings_a_day=2), elsewhere=elsewhere.channels)
    await made.ledger.keep_site(FOUND)
    return made


def told(occasion: str) -> Notify:
    return Notify(person=BOB, occasion=occasion, message=Message((paragraph(f"It is about {occasion}"),)))


async def want(crafty: Crafty, action: Action, subject: str = "SE-1") -> None:
    await crafty.queue.want(perform(action, RULE, subject, crafty.clock()))
    await crafty.work_off()


# What is sent


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        pytest.param(TO_BOB, "told Bob via bobs-mail", id="a person"),
        pytest.param(TO_TEAM, "posted in via:team", id="a cell's channel"),
    ],
)
async def test_a_message_goes_where_crafty_toml_says_and_mentions_and_links_nothing(
    redis: Redis, elsewhere: Elsewhere, action: Notify, reason: str
) -> None:
    effects = Effects(None, None, None, Ledger(redis), elsewhere.channels)
    done = await effects.do(Order(action, "k", RULE, "SE-1", wall("2026-11-03 12:00")))
    assert (done.result, done.reason) == ("done", reason)
    (sent,) = elsewhere.taken
    assert sent["title"] == "Crafty"
    assert sent["message"] == "Hello Bob, is “@\u200bhere <\u200b!channel> & [x]\u200b(http://evil.example)” yours?"


async def test_somebody_without_an_address_is_still_told_in_the_chat(crafty: Crafty, elsewhere: Elsewhere) -> None:
    await want(crafty, Notify(person=SAM, message=HELLO))
    assert [where for where, _, _ in crafty.chat.messages] == ["@sam"]
    assert elsewhere.taken == []


async def test_what_was_sent_is_not_sent_again(crafty: Crafty, elsewhere: Elsewhere) -> None:
    for _ in range(2):
        await want(crafty, told("sprint-41"))
    assert elsewhere.texts == ["It is about sprint-41"]


async def test_a_message_waits_for_the_persons_morning(crafty: Crafty, elsewhere: Elsewhere) -> None:
    crafty.clock.now = wall("2026-11-03 06:00")
    await crafty.act(told("sprint-41"))
    assert elsewhere.texts == []
    crafty.clock.now = wall("2026-11-03 15:00")
    await crafty.work_off()
    assert elsewhere.texts == ["It is about sprint-41"]


async def test_what_is_over_budget_goes_into_the_next_days_list(crafty: Crafty, elsewhere: Elsewhere) -> None:
    for number in range(4):
        await want(crafty, told(f"number {number}"), f"SE-{number}")
    assert elsewhere.texts == ["It is about number 0", "It is about number 1"]
    crafty.clock.now = wall("2026-11-04 15:00")
    await crafty.work_off()
    (listed,) = elsewhere.texts[2:]
    assert [line for line in listed.split("\n") if line.startswith("⬜")] == [
        "⬜ SE-2: It is about number 2",
        "⬜ SE-3: It is about number 3",
    ]


# What goes wrong


async def test_a_refusal_is_tried_again_and_tells_why_without_a_secret(crafty: Crafty, elsewhere: Elsewhere) -> None:
    elsewhere.status = 503
    with logged(Settings()) as written, pytest.raises(TryLater, match="team did not take the message") as refusal:
        await elsewhere.channels.send("team", HELLO)
    assert "error=503" in str(refusal.value)
    assert not any(word in f"{refusal.value}{written.getvalue()}" for word in ("hush", "127.0.0.1"))
    await want(crafty, told("sprint-41"))
    elsewhere.status = 200
    crafty.clock.advance(seconds=2)
    await crafty.work_off()
    assert elsewhere.texts[1:] == ["It is about sprint-41"] * 2


async def test_a_redirect_is_not_followed(elsewhere: Elsewhere) -> None:
    elsewhere.status = 307
    with pytest.raises(TryLater, match="did not take the message"):
        await elsewhere.channels.send("team", HELLO)
    assert len(elsewhere.taken) == 1


async def test_a_place_whose_certificate_nobody_vouches_for_is_told_nothing() -> None:
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(1))
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(__file__).with_name("self_signed.pem"))
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TryLater, match="did not take the message"):
            await Channels({"team": f"jsons://localhost:{port}"}, {}, OPEN).send("team", HELLO)
    assert received == []


async def test_all_processes_together_send_one_message_a_second(
    redis: Redis, clock: SetClock, elsewhere: Elsewhere
) -> None:
    first, second = (Channels({"team": elsewhere.address}, {}, SharedGate(redis, clock)) for _ in range(2))
    await first.send("team", HELLO)
    with pytest.raises(TryLater, match="one message a second"):
        await second.send("team", HELLO)
    clock.advance(seconds=1.1)
    await second.send("team", HELLO)
    assert len(elsewhere.taken) == 2


@pytest.mark.parametrize("addresses", [{}, {"team": "json://127.0.0.1/"}], ids=["none is set", "another is set"])
async def test_a_name_that_was_taken_away_is_told(redis: Redis, addresses: dict[str, str]) -> None:
    channels = Channels(addresses, {}, OPEN) if addresses else None
    effects = Effects(None, None, None, Ledger(redis), channels)
    action = Notify(channel="via:gone", message=HELLO)
    with pytest.raises(CannotAct, match="CRAFTY_CHANNELS"):
        await effects.do(Order(action, "k", RULE, "SE-1", wall("2026-11-03 12:00")))


# How it is set


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(SLACK, "number 1 is not one", id="no name"),
        pytest.param(f"team={SLACK} mail=", "number 2 is not one", id="no address"),
        pytest.param(f"team={SLACK} team={SLACK}", "two are the same", id="one name twice"),
        pytest.param("team=slack://hush", "team is no address that apprise can use", id="half an address"),
        pytest.param("team=hush://hush/hush", "team is no address that apprise can use", id="no service"),
        pytest.param("team=jsons://hush@host/?verify=no", "take verify=no out", id="an unchecked certificate"),
        pytest.param(f"team={SLACK[:-9]}/#hush/#b", "leads to several places", id="two places"),
    ],
)
def test_an_address_that_can_not_be_used_stops_the_start_and_is_not_shown(
    tmp_path: Path, value: str, problem: str
) -> None:
    with logged(Settings()) as written, pytest.raises(ConfigError, match=problem) as refused:
        load({"CRAFTY_CHANNELS": value}, tmp_path)
    (only,) = refused.value.problems
    assert only.where == "CRAFTY_CHANNELS"
    assert not any(word in f"{only}{written.getvalue()}" for word in ("hush", "TIiajkdnlazkcOXrIdevi7FQ"))


def test_without_the_extra_the_start_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def lacking(name: str, globals_: Any = None, locals_: Any = None, names: Any = (), level: int = 0) -> Any:
        if name == "service.clients" and "channels" in (names or ()):
            raise ImportError(name)
        return usual(name, globals_, locals_, names, level)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(ConfigError, match=r"CRAFTY_CHANNELS: .*pip install 'crafty\[channels\]'"):
        load({"CRAFTY_CHANNELS": f"team={SLACK}"}, tmp_path)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda text: text.replace('channel = "serenity"', 'channel = "via:teem"'), "cells[0].channel"),
        (lambda text: text.replace('id = "ann"', 'id = "ann"\nvia = "teem"'), "people[0].via"),
        (lambda text: f'{text}[messages]\nadmin_channel = "via:teem"\n', "messages.admin_channel"),
    ],
    ids=["a cell's", "a person's", "the admins'"],
)
def test_a_name_without_an_address_stops_the_start_with_its_line(
    tmp_path: Path, change: Callable[[str], str], key: str
) -> None:
    text = change(CONFIG)
    (tmp_path / "crafty.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load({"CRAFTY_CHANNELS": f"team={SLACK}"}, tmp_path)
    (problem,) = refused.value.problems
    line = 1 + text[: text.index("teem")].count("\n")
    assert (problem.where, problem.key) == (f"crafty.toml:{line}", key)
    assert problem.what == 'CRAFTY_CHANNELS has no address named "teem"; did you mean team?'


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        (SLACK, {"T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"}),
        ("mailtos://ann:p%40ss@mail.example", {"p@ss"}),
        ("workflows://flow.example:443/a1b2c3d4/signature1/", {"a1b2c3d4", "signature1"}),
    ],
    ids=["Slack", "e-mail", "Teams"],
)
def test_the_log_hides_the_address_and_each_token_in_it(tmp_path: Path, address: str, hidden: set[str]) -> None:
    settings = load({"CRAFTY_CHANNELS": f"one={address}"}, tmp_path)
    assert {address, *hidden} <= set(settings.secret_values)
    assert hidden_parts(address) == hidden
    assert address not in repr(settings)


async def test_the_doctor_says_that_nothing_was_sent(clock: SetClock) -> None:
    config = parse_config(Source("crafty.toml", CONFIG.replace('channel = "serenity"', 'channel = "via:team"')))
    settings = Settings(config=config, channels=SecretStr(f"team={SLACK}"))
    found = await examine(settings, connected(settings), None, clock)
    what = "apprise can read the address (Slack); nothing was sent, so whether it takes messages is not known"
    assert [one for one in found if one.check == "channels"] == [
        Finding(
            check="channels",
            about="team",
            state="unchecked",
            what=what,
            mend="Look for Crafty's next message there.",
        )
    ]
    assert not any("there is no chat" in one.what for one in found)


def test_who_has_no_chat_account_but_an_address_is_no_stranger_to_the_chat() -> None:
    config = parse_config(Source("crafty.toml", CONFIG.replace('id = "ann"', 'id = "ann"\nvia = "team"')))
    assert config.addressees == {ANN.id: "team"}
