"""The whole way of a delivery through the service, from its bytes to what would be stored; no socket and no Redis."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from hmac import HMAC
from typing import cast

import msgspec
import uvloop
from pydantic import SecretStr
from redis.asyncio import Redis

from service.contributions import Note
from service.current import Current
from service.errors import Rejected
from service.jira_shapes import FieldMap
from service.ledger import Delivery, Entry, Ledger, Site, halves
from service.packing import unpacked
from service.queue import Queue
from service.settings import Settings
from service.texts import Message, to_adf, to_discourse, to_mattermost, to_plain, to_wiki
from service.webhooks.intake import FAILED_ON, Intake
from service.webhooks.sources import Posted
from tests import builders
from tests.webhooks.payloads import FIELDS

SECRET = "fuzz"
NOW = datetime(2026, 11, 3, 9, tzinfo=UTC)
_TEAM = """
[[cells]]
name = "Community"
projects = ["CM"]
channel = "community"
repositories = ["Example-Org/Poll"]
contribution_projects = ["HELP"]
[cells.roles]
community_liaison = "sam"
"""
_SIGNED = {"discourse": "x-discourse-event-signature", "github": "x-hub-signature-256"}
_RENDERERS = (to_adf, to_wiki, to_mattermost, to_discourse, to_plain)


class Broken(Exception):
    """A delivery did what none may do; the text says what."""


class Door:
    """Takes deliveries of one source, which it signs itself."""

    def __init__(self, source: str) -> None:
        shelf = cast("Redis", _Shelf())
        current = Current(Ledger(shelf), builders.book(_TEAM))
        current.site = Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",), discourse_bot="crafty")
        self._source = source
        self._loop = uvloop.new_event_loop()
        self._intake = Intake(_settings(), builders.team(_TEAM), current, Queue(shelf, lambda: NOW))

    def knock(self, headers: Mapping[str, str], body: bytes) -> int:
        """The status that the sender is answered; raises what the service raises, and Broken for what it may not do."""
        proof = {"x-gitlab-token": SECRET}
        if self._source in _SIGNED:
            proof = {_SIGNED[self._source]: f"sha256={HMAC(SECRET.encode(), body, sha256).hexdigest()}"}
        posted = Posted(headers={**headers, **proof}, token=SECRET, body=body, received=NOW)
        try:
            answer = self._loop.run_until_complete(self._intake.take(self._source, posted))
        except Rejected as rejected:
            if rejected.status not in {400, 413, 422}:
                raise Broken(f"answered {rejected.status}: {rejected.detail}") from rejected
            msgspec.json.encode(rejected.detail)
            return rejected.status
        msgspec.json.encode(answer)
        return 202

    def close(self) -> None:
        """Ends its event loop."""
        self._loop.close()


class _Shelf:
    """Stands in for Redis: stores nothing, after all that it is given was read back as it will be."""

    def register_script(self, _: str) -> "_Shelf":
        return self

    async def __call__(self, args: Sequence[bytes]) -> list[list[bytes]]:
        """args: for each delivery the call, all of it, and its line in the timeline."""
        for call, whole, line in _in_threes(args):
            check_delivery(msgspec.json.decode(halves(whole)[0], type=Delivery))
            for _, name, note in msgspec.msgpack.decode(call)["notes"]:
                if name != "place":
                    msgspec.json.decode(note, type=Note)
            if line:
                check_entry(msgspec.json.decode(unpacked(line), type=Entry))
        return [[b"stored"]] * (len(args) // 3)


def _in_threes(args: Sequence[bytes]) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The three values of each delivery."""
    return zip(args[::3], args[1::3], args[2::3], strict=True)


def check_delivery(delivery: Delivery) -> None:
    """Crafty did not fail on it."""
    if delivery.note and delivery.note.startswith(FAILED_ON):
        raise Broken(delivery.note)


def check_entry(entry: Entry) -> None:
    """No rule failed, and whatever is to be written can be."""
    for decision in entry.decisions:
        if decision.error:
            raise Broken(f"the rule {decision.rule} failed: {decision.error}")
        for message in (getattr(action, "message", None) for action in decision.actions):
            if isinstance(message, Message):
                for render in _RENDERERS:
                    render(message)


def _settings() -> Settings:
    secret = SecretStr(SECRET)
    return Settings(
        config=builders.config(_TEAM),
        jira_url="https://jira.example",
        jira_webhook_token=secret,
        discourse_url="https://forum.example",
        discourse_webhook_secret=secret,
        github_webhook_secret=secret,
        gitlab_webhook_secret=secret,
    )
