"""Discourse's deliveries into events.

The forum sends every topic and post, private messages and restricted categories too: only what stands in a watched
category goes further than this module.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import Final

import msgspec

from service.events import Event, Ignored, TopicPosted
from service.facts import Person

_REGULAR_POST: Final = 1


class _Author(msgspec.Struct):
    username: str | None = None
    name: str | None = None


class _Topic(msgspec.Struct):
    id: int
    title: str
    archetype: str | None = None
    category_id: int | None = None
    created_by: _Author | None = None
    last_posted_at: str | None = None
    created_at: str | None = None


class _Post(msgspec.Struct):
    id: int
    topic_id: int
    post_number: int
    post_type: int
    username: str | None = None
    name: str | None = None
    topic_title: str = ""
    topic_archetype: str | None = None
    category_id: int | None = None
    updated_at: str | None = None


class _Payload(msgspec.Struct):
    topic: _Topic | None = None
    post: _Post | None = None


_DECODER: Final = msgspec.json.Decoder(_Payload)
_ANYTHING: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse(name: str, kind: str, body: bytes, watched: Container[int], received: datetime) -> Event | Ignored:
    """What the delivery says.

    name: the `X-Discourse-Event` header, such as post_created; kind: `X-Discourse-Event-Type`, such as post; watched:
    ids of the categories that cells follow; received: stands in for a missing time. Raises msgspec.DecodeError for what
    is no JSON and msgspec.ValidationError, naming the place, for a topic or post without what it must have.
    """
    _ANYTHING.decode(body)
    if kind == "topic":
        return _topic(_DECODER.decode(body).topic, watched, received)
    if kind == "post":
        return _post(_DECODER.decode(body).post, watched, received)
    return Ignored(f"no rule is concerned with “{name[:64]}”" if name else "it names no event")


def _topic(topic: _Topic | None, watched: Container[int], received: datetime) -> Event | Ignored:
    if topic is None:
        raise msgspec.ValidationError("Object missing required field `topic`")
    hidden = _hidden(topic.archetype, topic.category_id, watched)
    if hidden:
        return hidden
    at = _instant(topic.last_posted_at or topic.created_at, received)
    actor = _person(topic.created_by)
    return TopicPosted(at=at, actor=actor, topic=topic.id, title=topic.title, category=topic.category_id)


def _post(post: _Post | None, watched: Container[int], received: datetime) -> Event | Ignored:
    if post is None:
        raise msgspec.ValidationError("Object missing required field `post`")
    hidden = _hidden(post.topic_archetype, post.category_id, watched)
    if hidden:
        return hidden
    if post.post_type != _REGULAR_POST:
        return Ignored("it is a whisper or a note of the forum's own")
    return TopicPosted(
        at=_instant(post.updated_at, received),
        actor=_person(_Author(post.username, post.name)),
        topic=post.topic_id,
        title=post.topic_title,
        category=post.category_id,
        post=post.post_number,
    )


def _hidden(archetype: str | None, category: int | None, watched: Container[int]) -> Ignored | None:
    if archetype == "private_message":
        return Ignored("private messages are dropped unread")
    if category is None or category not in watched:
        return Ignored("no cell follows that category")
    return None


def _person(author: _Author | None) -> Person | None:
    if author is None or not author.username:
        return None
    return Person(name=author.name or author.username, discourse=author.username)


def _instant(text: str | None, received: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(text) if text else received
    except ValueError:
        return received
    return at if at.tzinfo else received
