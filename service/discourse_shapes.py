"""The shapes of Discourse's topics and posts, alike in webhooks and answers, and the notes that follow from them.

Post types are those of Discourse's Post.types; what closes or reopens a topic leaves a small action in it, a post with
an action code such as `closed.enabled` (its TopicStatusUpdater), which alone tells who did it and when.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from service.commands import LONGEST_TEXT, commands_in
from service.contributions import Note, What
from service.facts import Person, visible_name

Instant = Annotated[datetime, msgspec.Meta(tz=True)]

PRIVATE: Final = "private_message"
"""The archetype of private messages, which are topics otherwise."""

_REGULAR: Final = 1
_SMALL_ACTION: Final = 3
_ENDINGS: Final = {"closed", "autoclosed", "archived"}
_TURNS: Final[dict[str, What]] = {"enabled": "closed", "disabled": "reopened"}


class _Someone(msgspec.Struct, kw_only=True):
    username: str | None = None
    name: str | None = None
    admin: bool | None = None
    moderator: bool | None = None
    staff: bool | None = None
    primary_group_name: str | None = None


class RawMember(_Someone, kw_only=True):
    """An account. id: negative for the forum's own, such as system and discobot."""

    id: int | None = None


class RawPost(_Someone, kw_only=True):
    """A post with its author. raw: its Markdown, None in an answer that was not asked for it."""

    id: int
    topic_id: int
    post_number: int
    post_type: int
    user_id: int | None = None
    raw: str | None = None
    action_code: str | None = None
    reply_to_post_number: int | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    deleted_at: Instant | None = None
    hidden: bool | None = None
    user_deleted: bool | None = None

    @property
    def is_withdrawn(self) -> bool:
        return bool(self.hidden or self.user_deleted or self.deleted_at)


class RawTopic(msgspec.Struct, kw_only=True):
    """A topic without its posts."""

    id: int
    title: str
    slug: str | None = None
    archetype: str | None = None
    category_id: int | None = None
    created_at: Instant | None = None
    deleted_at: Instant | None = None
    deleted_by: RawMember | None = None


def person_from(someone: _Someone | None) -> Person | None:
    """The account's owner; None where it is not named."""
    if someone is None or not someone.username:
        return None
    return Person(name=visible_name(someone.name, someone.username), discourse=someone.username)


def topic_key(topic: int) -> str:
    """What a topic is known by as a contribution."""
    return f"topic:{topic}"


def topic_url(site: str, topic: int, slug: str | None) -> str:
    """Where people read the topic. site: the forum's address; "" gives no link."""
    return f"{site.rstrip('/')}/t/{slug or '-'}/{topic}" if site else ""


def opened(topic: RawTopic, author: RawMember | None, site: str, otherwise: datetime) -> Note:
    """The note that a topic was opened. site: as in topic_url; otherwise: stands in for a missing time."""
    url, whose = topic_url(site, topic.id, topic.slug), _whose(author, author.id if author else None)
    return Note(what="opened", at=topic.created_at or otherwise, title=topic.title, url=url, kind="topic", **whose)


def destroyed(topic: RawTopic, otherwise: datetime) -> Note:
    """The note that a topic was deleted. otherwise: stands in for a missing time."""
    return Note(what="closed", at=topic.deleted_at or otherwise, by=person_from(topic.deleted_by))


def note_from(post: RawPost, title: str, url: str, otherwise: datetime, account: str) -> Note | None:
    """What a post tells of its topic; None for a withdrawn one, a whisper and other small actions.

    title, url: the topic's; otherwise: stands in for a missing time; account: the one we act under, "" where that is
    not known. A post's text is kept only where it speaks to us.
    """
    what = None if post.is_withdrawn else _told_by(post)
    if what is None:
        return None
    told: dict[str, Any] = {"at": post.created_at or post.updated_at or otherwise, **_whose(post, post.user_id)}
    if what == "opened":
        return Note(what=what, title=title, url=url, kind="topic", **told)
    if what == "answered":
        return Note(what=what, id=f"post-{post.post_number}", text=_said_to_us(post.raw or "", account), **told)
    return Note(what=what, **told)


def _told_by(post: RawPost) -> What | None:
    if post.post_type == _REGULAR:
        return "opened" if post.post_number == 1 else "answered"
    ending, _, turn = (post.action_code or "").partition(".")
    return _TURNS.get(turn) if post.post_type == _SMALL_ACTION and ending in _ENDINGS else None


def _whose(someone: _Someone | None, number: int | None) -> dict[str, Any]:
    if someone is None:
        return {}
    return {
        "by": person_from(someone),
        "is_member": bool(someone.admin or someone.moderator or someone.staff),
        "is_bot": number is not None and number < 0,
        "groups": (someone.primary_group_name,) if someone.primary_group_name else (),
    }


def _said_to_us(text: str, account: str) -> str:
    return text[:LONGEST_TEXT] if commands_in(text, (account,)) else ""
