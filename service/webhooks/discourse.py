"""Discourse's deliveries into events.

The forum sends every topic and post, private messages and restricted categories too: only what stands in a watched
category goes further than this module, and of what people wrote only the posts that speak to Crafty.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import Final

import msgspec

from service.contributions import Note, contribution_from
from service.discourse_shapes import (
    PRIVATE,
    RawMember,
    RawPost,
    RawTopic,
    destroyed,
    note_from,
    person_from,
    topic_key,
    topic_url,
)
from service.events import ContributionNoted, Event, Ignored
from service.facts import Person


class _Topic(RawTopic, kw_only=True):
    created_by: RawMember | None = None


class _Post(RawPost, kw_only=True):
    topic_title: str = ""
    topic_slug: str | None = None
    topic_archetype: str | None = None
    category_id: int | None = None


class _Payload(msgspec.Struct):
    topic: _Topic | None = None
    post: _Post | None = None


_DECODER: Final = msgspec.json.Decoder(_Payload)
_ANYTHING: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse(
    name: str, kind: str, body: bytes, watched: Container[int], received: datetime, url: str = "", account: str = ""
) -> Event | Ignored:
    """What the delivery says.

    name: the `X-Discourse-Event` header, such as post_created; kind: `X-Discourse-Event-Type`, such as post; watched:
    ids of the categories that cells follow; received: stands in for a missing time; url: the forum's address, for
    links; account: the one we act under. Raises msgspec.DecodeError for what is no JSON and msgspec.ValidationError,
    naming the place, for a topic or post without what it must have.
    """
    _ANYTHING.decode(body)
    if kind == "topic":
        return _topic(name, _DECODER.decode(body).topic, watched, received)
    if kind == "post":
        return _post(name, _DECODER.decode(body).post, watched, received, url, account)
    return Ignored(f"no rule is concerned with “{name[:64]}”" if name else "it names no event")


def _topic(name: str, topic: _Topic | None, watched: Container[int], received: datetime) -> Event | Ignored:
    """What the event itself tells; the others only lead to a look.

    A topic does not say whether its author is of the staff or in a group: its first post does, so only that one opens
    it. Nor does it say who closed it and when: the small action does.
    """
    if topic is None:
        raise msgspec.ValidationError("Object missing required field `topic`")
    place = _place(topic.archetype, topic.category_id, watched)
    if isinstance(place, Ignored):
        return place
    match name:
        case "topic_created":
            return _noted(topic.id, place, topic.created_at or received, person_from(topic.created_by))
        case "topic_destroyed":
            note = destroyed(topic, received)
            return _noted(topic.id, place, note.at, note.by, note)
        case "topic_recovered":
            return _noted(topic.id, place, received, None, Note(what="reopened", at=received))
    return _noted(topic.id, place, received, None)


def _post(
    name: str, post: _Post | None, watched: Container[int], received: datetime, url: str, account: str
) -> Event | Ignored:
    if post is None:
        raise msgspec.ValidationError("Object missing required field `post`")
    place = _place(post.topic_archetype, post.category_id, watched)
    if isinstance(place, Ignored):
        return place
    if name == "post_destroyed":
        return Ignored("what a deleted post told stays as it was")
    note = note_from(post, post.topic_title, topic_url(url, post.topic_id, post.topic_slug), received, account)
    if note is None:
        return Ignored("it is a hidden post, a whisper or a note of the forum's own")
    return _noted(post.topic_id, place, note.at, note.by, note)


def _noted(topic: int, place: int, at: datetime, actor: Person | None, *notes: Note) -> ContributionNoted:
    contribution = contribution_from(topic_key(topic), place, notes)
    return ContributionNoted(at=at, actor=actor, contribution=contribution, notes=notes)


def _place(archetype: str | None, category: int | None, watched: Container[int]) -> int | Ignored:
    if archetype == PRIVATE:
        return Ignored("private messages are dropped unread")
    if category is None or category not in watched:
        return Ignored("no cell follows that category")
    return category
