"""Discourse: what people wrote in topics, and answers to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from service.clients._http import Api, Credential, Sleep, under
from service.contributions import Listed, Note
from service.discourse_shapes import (
    PRIVATE,
    Instant,
    RawMember,
    RawPost,
    RawTopic,
    destroyed,
    note_from,
    opened,
    topic_key,
    topic_url,
)
from service.errors import CannotAct, NotFound
from service.facts import Person, visible_name
from service.limits import DISCOURSE, OPEN, Gate
from service.texts import Message, to_discourse

_MOST_POSTS: Final = 500
_POSTS_A_CALL: Final = 100


class _Stream(msgspec.Struct):
    """Some of a topic's posts. stream: the ids of all."""

    posts: list[RawPost] = []
    stream: list[int] = []


class _Posts(msgspec.Struct):
    post_stream: _Stream


class _Topic(RawTopic, kw_only=True):
    """A topic with its first posts."""

    created_at: Instant
    last_posted_at: Instant | None = None
    closed: bool = False
    archived: bool = False
    post_stream: _Stream

    def notes(self, site: str, account: str) -> Iterator[Note]:
        """What is read in it; a topic that was closed without a trace was so when somebody wrote last."""
        url = topic_url(site, self.id, self.slug)
        notes = [note_from(post, self.title, url, self.created_at, account) for post in self.post_stream.posts]
        told = [note for note in notes if note]
        yield from told
        if self.deleted_at:
            yield destroyed(self, self.created_at)
        elif (self.closed or self.archived) and all(note.what != "closed" for note in told):
            yield Note(what="closed", at=self.last_posted_at or self.created_at)


class _Poster(msgspec.Struct):
    user_id: int | None = None


class _ListedTopic(RawTopic, kw_only=True):
    """A topic in a list.

    last_posted_at: also of the small action that closing leaves, which bumps nothing (Discourse's PostCreator);
    posters: who opened it comes first (its TopicPostersSummary).
    """

    created_at: Instant
    bumped_at: Instant
    last_posted_at: Instant | None = None
    pinned: bool = False
    posters: tuple[_Poster, ...] = ()


class _TopicList(msgspec.Struct):
    topics: list[_ListedTopic]
    more_topics_url: str | None = None


class _Page(msgspec.Struct):
    """A page of a list of topics, pinned ones first, then by their last activity. users: their authors and others."""

    topic_list: _TopicList
    users: list[RawMember] = []

    def opened(self, topic: _ListedTopic, site: str) -> Note:
        authors = {user.id: user for user in self.users}
        author = authors.get(topic.posters[0].user_id) if topic.posters else None
        return opened(topic, author, site, topic.created_at)

    def ends(self, since: datetime) -> bool:
        """Whether what follows is older."""
        topics = self.topic_list.topics
        is_past = any(topic.bumped_at < since and not topic.pinned for topic in topics)
        return is_past or not topics or not self.topic_list.more_topics_url


class _Created(msgspec.Struct):
    """What creating a post answers: the post, or only that it waits for a moderator."""

    id: int | None = None
    action: str = ""


class _RawUser(msgspec.Struct):
    username: str
    name: str | None = None


class _Session(msgspec.Struct):
    current_user: _RawUser


def connect(url: str, api_key: str, api_username: str, sleep: Sleep = asyncio.sleep, gate: Gate = OPEN) -> Discourse:
    """A client for the forum at `url` that acts as `api_username`."""
    headers = {"Api-Key": api_key, "Api-Username": api_username}
    credential = Credential("CRAFTY_DISCOURSE_API_KEY and CRAFTY_DISCOURSE_API_USERNAME", headers, (api_key,))
    site = url.rstrip("/")
    return Discourse(Api("Discourse", site, credential, sleep, DISCOURSE, gate), site, api_username)


class Discourse:
    """Discourse's API. Errors of every call: NotFound, TryLater, CannotAct (also for the 422 of a refused text).

    site: the address people open it at, without a slash at its end; account: the user name that the key acts as.
    """

    def __init__(self, api: Api, site: str, account: str) -> None:
        self._api = api
        self._site = site
        self._account = account.casefold()

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
        return Person(name=visible_name(user.name, user.username), discourse=user.username)

    async def notes(self, key: str) -> tuple[Note, ...]:
        """What is read of `topic:<id>`, under the names that webhooks give it; our own account counts as a bot.

        Of a long topic the first posts and the latest 500 are read. NotFound for a private message.
        """
        topic = await self._read(key.removeprefix("topic:"))
        if topic.archetype == PRIVATE:
            raise NotFound(f"{key} is a private message.")
        return tuple(self._marked(note) for note in topic.notes(self._site, self._account))

    async def recent(self, place: int, since: datetime) -> tuple[Listed, ...]:
        """Each topic of a category in which something was written since then.

        place: the category's number; its subcategories are left out. Newer forums' lists tell an author's rights and
        group (Discourse's UserPrimaryGroupMixin).
        """
        found: dict[int, Listed] = {}
        for number in count():
            page = await self._page(place, number)
            recent = [topic for topic in page.topic_list.topics if topic.bumped_at >= since]
            found |= {topic.id: self._listed(page, topic) for topic in recent}
            if page.ends(since):
                break
        return tuple(found.values())

    def _listed(self, page: _Page, topic: _ListedTopic) -> Listed:
        opened = self._marked(page.opened(topic, self._site))
        return Listed(topic_key(topic.id), opened, max(topic.bumped_at, topic.last_posted_at or topic.bumped_at))

    async def reply(
        self,
        topic: int,
        message: Message,
        zone: str | None = None,
        *,
        post: int | None = None,
        is_retry: bool = False,
    ) -> int | None:
        """Answers in a topic and returns the new post's id; None when it waits for a moderator.

        post: the number of the post that is answered. Discourse knows no key for replies, so with is_retry, when an
        earlier try may have come through, our answer to that post (without one, our post of the same words) is looked
        for first, and its id returned. One that waits for a moderator is not found.
        """
        raw = to_discourse(message, zone)
        standing = await self._find_reply(topic, raw, post) if is_retry else None
        if standing is not None:
            return standing
        answered = {} if post is None else {"reply_to_post_number": post}
        return await self._post({"topic_id": topic, "raw": raw, **answered})

    async def _read(self, topic: str | int) -> _Topic:
        """A topic with its posts and their words (`include_raw` of Discourse's TopicsController)."""
        path = under("/t", topic)
        read = await self._api.request("GET", f"{path}.json", params={"include_raw": "true"}, into=_Topic)
        shown = {post.id for post in read.post_stream.posts}
        others = [post for post in read.post_stream.stream if post not in shown][-_MOST_POSTS:]
        for start in range(0, len(others), _POSTS_A_CALL):
            chosen = [("post_ids[]", post) for post in others[start : start + _POSTS_A_CALL]]
            query = urlencode([("include_raw", "true"), *chosen])
            more = await self._api.request("GET", f"{path}/posts.json?{query}", into=_Posts)
            read.post_stream.posts += more.post_stream.posts
        return read

    async def _page(self, category: int, number: int) -> _Page:
        """A page of a category by activity: the parameters of Discourse's TopicQuery, which need no slug."""
        asked: dict[str, str | int] = {
            "category": category,
            "no_subcategories": "true",
            "order": "activity",
            "page": number,
        }
        return await self._api.request("GET", "/latest.json", params=asked, into=_Page)

    async def _find_reply(self, topic: int, raw: str, post: int | None) -> int | None:
        for one in (await self._read(topic)).post_stream.posts:
            is_it = (one.raw or "").strip() == raw.strip() if post is None else one.reply_to_post_number == post
            if is_it and self._is_ours(one.username):
                return one.id
        return None

    def _marked(self, note: Note) -> Note:
        is_ours = note.by is not None and self._is_ours(note.by.discourse)
        return msgspec.structs.replace(note, is_bot=True) if is_ours else note

    def _is_ours(self, username: str | None) -> bool:
        return username is not None and username.casefold() == self._account

    async def _post(self, body: dict[str, Any]) -> int | None:
        """The new post's id; None when it waits for a moderator."""
        made = await self._api.request("POST", "/posts.json", json=body, into=_Created)
        if made.action == "enqueued":
            return None
        if made.id is None:
            raise CannotAct(
                "Discourse answered POST /posts.json without a post and without saying that it is enqueued."
            )
        return made.id
