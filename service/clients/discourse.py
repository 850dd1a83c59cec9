"""Discourse: answers in topics, and topics of our own."""

from __future__ import annotations

import asyncio
import re
from hashlib import sha256
from typing import Any, Final

import msgspec

from service.clients._http import Api, Credential, Moved, Sleep, under
from service.errors import CannotAct, NotFound
from service.facts import Person
from service.texts import Message, to_discourse

_TOPIC_ADDRESS: Final = re.compile(r"/t/(?:[^/?]+/)?([0-9]{1,12})(?:\.json)?(?:[/?]|$)")


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A forum topic. category: None for private messages and where it has none; posts: how many, its first included."""

    id: int
    title: str
    category: int | None
    posts: int
    is_private: bool
    is_closed: bool
    is_archived: bool


class _RawTopic(msgspec.Struct):
    id: int
    title: str
    posts_count: int
    category_id: int | None = None
    archetype: str = "regular"
    closed: bool = False
    archived: bool = False


class _RawPost(msgspec.Struct):
    """What creating a post answers: the post, or only that it waits for a moderator."""

    id: int | None = None
    topic_id: int | None = None
    action: str = ""


class _RawUser(msgspec.Struct):
    username: str
    name: str | None = None


class _Session(msgspec.Struct):
    current_user: _RawUser


def connect(url: str, api_key: str, api_username: str, sleep: Sleep = asyncio.sleep) -> Discourse:
    """A client for the forum at `url` that acts as `api_username`."""
    headers = {"Api-Key": api_key, "Api-Username": api_username}
    credential = Credential("CRAFTY_DISCOURSE_API_KEY and CRAFTY_DISCOURSE_API_USERNAME", headers, (api_key,))
    return Discourse(Api("Discourse", url.rstrip("/"), credential, sleep))


class Discourse:
    """Discourse's API. Errors of every call: NotFound, TryLater, CannotAct (also for the 422 of a refused text)."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._api.aclose()

    async def identify(self) -> Person:
        """The account that the key acts as; CannotAct when Discourse sees a visitor (its session is a 404 then)."""
        try:
            user = (await self._api.request("GET", "/session/current.json", into=_Session)).current_user
        except NotFound:
            detail = (
                "Discourse sees no signed-in user; check CRAFTY_DISCOURSE_API_KEY and CRAFTY_DISCOURSE_API_USERNAME."
            )
            raise CannotAct(detail) from None
        return Person(name=user.name or user.username, discourse=user.username)

    async def topic(self, topic: int) -> Topic:
        """The topic with that id."""
        raw = await self._api.request("GET", f"{under('/t', topic)}.json", into=_RawTopic)
        return Topic(
            id=raw.id,
            title=raw.title,
            category=raw.category_id,
            posts=raw.posts_count,
            is_private=raw.archetype == "private_message",
            is_closed=raw.closed,
            is_archived=raw.archived,
        )

    async def reply(self, topic: int, message: Message, zone: str | None = None) -> int | None:
        """Answers in a topic and returns the post's id; None when it waits for a moderator.

        Not idempotent: Discourse knows no key for replies.
        """
        return (await self._create({"topic_id": topic, "raw": to_discourse(message, zone)})).id

    async def create_topic(
        self, title: str, message: Message, category: int, external_id: str, zone: str | None = None
    ) -> int | None:
        """Opens a topic, unless one with that external id stands already, and returns its id.

        None when it waits for a moderator; until it is approved the external id finds nothing.
        """
        mark = _external_id(external_id)
        standing = await self._find_topic(mark)
        if standing is not None:
            return standing
        body = {"title": title, "raw": to_discourse(message, zone), "category": category, "external_id": mark}
        return (await self._create(body)).topic_id

    async def _create(self, body: dict[str, Any]) -> _RawPost:
        post = await self._api.request("POST", "/posts.json", json=body, into=_RawPost)
        if post.action != "enqueued" and (post.id is None or post.topic_id is None):
            raise CannotAct(
                "Discourse answered POST /posts.json without a post and without saying that it is enqueued."
            )
        return post if post.action != "enqueued" else _RawPost()

    async def _find_topic(self, mark: str) -> int | None:
        """Discourse answers an external id with a redirect to the topic."""
        try:
            await self._api.send("GET", f"{under('/t/external_id', mark)}.json")
        except NotFound:
            return None
        except Moved as moved:
            address = _TOPIC_ADDRESS.search(moved.location)
            if not address:
                raise
            return int(address[1])
        raise CannotAct("Discourse answered GET /t/external_id without a redirect to the topic.")


def _external_id(key: str) -> str:
    """Discourse takes 50 letters, digits, dashes and underscores at most, so keys go in as a digest."""
    return f"crafty-{sha256(key.encode()).hexdigest()[:40]}"
