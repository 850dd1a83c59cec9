"""A stand-in for a Discourse forum: topics, posts and private messages, with the webhooks that the real one sends.

Like the real one it sends private messages along, marked only by their archetype.
"""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse

from service.clock import Clock
from service.demo._sender import WebhookSender

Json = dict[str, Any]
Archetype = Literal["regular", "private_message"]

_POSTS_A_PAGE: Final = 20
_TOPICS_A_PAGE: Final = 30
_REGULAR_POST: Final = 1
_SMALL_ACTION: Final = 3
_SHORTEST_POST: Final = 20
_SHORTEST_TITLE: Final = 15
_SHORTEST_PRIVATE_POST: Final = 10
_SHORTEST_PRIVATE_TITLE: Final = 2
_UNIQUE_FOR: Final = timedelta(minutes=5)
_POST_CONSTANTS: Final[Json] = {
    "reply_count": 0,
    "quote_count": 0,
    "incoming_link_count": 0,
    "reads": 0,
    "readers_count": 0,
    "score": 0,
    "primary_group_name": None,
    "flair_name": None,
    "flair_url": None,
    "flair_bg_color": None,
    "flair_color": None,
    "user_title": None,
    "bookmarked": False,
    "hidden": False,
    "deleted_at": None,
    "user_deleted": False,
    "wiki": False,
    "reviewable_id": None,
    "reviewable_score_count": 0,
    "reviewable_score_pending_count": 0,
}
_TOPIC_CONSTANTS: Final[Json] = {
    "tags": [],
    "views": 0,
    "like_count": 0,
    "visible": True,
    "archived": False,
    "deleted_at": None,
    "featured_link": None,
    "pinned_globally": False,
    "pinned_at": None,
    "pinned_until": None,
    "unpinned": None,
    "deleted_by": None,
    "has_deleted": False,
}
_VIEW_CONSTANTS: Final[Json] = {
    "timeline_lookup": [],
    "suggested_topics": [],
    "tags_descriptions": {},
    "has_summary": False,
    "image_url": None,
    "slow_mode_seconds": 0,
    "slow_mode_enabled_until": None,
    "draft": None,
    "draft_sequence": 0,
    "actions_summary": [],
    "chunk_size": _POSTS_A_PAGE,
    "bookmarked": False,
    "bookmarks": [],
    "topic_timer": None,
    "message_bus_last_id": 0,
    "show_read_indicator": False,
    "thumbnails": None,
}
_RIGHTS: Final[Json] = {
    "notification_level": 1,
    "can_create_post": True,
    "can_reply_as_new_topic": True,
    **dict.fromkeys(
        (
            "can_edit",
            "can_move_posts",
            "can_delete",
            "can_remove_allowed_users",
            "can_convert_topic",
            "can_review_topic",
            "can_close_topic",
            "can_archive_topic",
            "can_split_merge_topic",
            "can_edit_staff_notes",
            "can_toggle_topic_visibility",
            "can_pin_unpin_topic",
            "can_moderate_category",
        ),
        False,
    ),
}


class UnknownNameError(LookupError):
    """A member, topic or post that is not there; its text says which."""


class _DiscourseError(Exception):
    """An answer with an error. kind: Discourse's `error_type`, "" where it names none."""

    def __init__(self, status: int, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.content = {"errors": [message], **({"error_type": kind} if kind else {})}


@dataclass(frozen=True)
class ForumMember:
    """An account."""

    id: int
    username: str
    name: str
    is_staff: bool


@dataclass
class ForumPost:
    """A post, or the trace of an action such as closed.enabled.

    number: its place in the topic, from 1; raw: Markdown as written; version: grows with each edit.
    """

    id: int
    topic: int
    number: int
    author: str
    raw: str
    created: datetime
    updated: datetime
    reply_to: int | None = None
    version: int = 1
    edit_reason: str | None = None
    action: str | None = None


@dataclass
class ForumTopic:
    """A topic or a private message. category: None for messages; participants: who may read a message, by name."""

    id: int
    title: str
    author: str
    created: datetime
    archetype: Archetype = "regular"
    category: int | None = None
    external_id: str | None = None
    participants: tuple[str, ...] = ()
    is_closed: bool = False
    is_pinned: bool = False
    posts: list[ForumPost] = field(default_factory=list)

    @property
    def written(self) -> list[ForumPost]:
        """What people wrote, without the traces of actions."""
        return [post for post in self.posts if post.action is None]

    @property
    def bumped(self) -> datetime:
        return self.written[-1].created

    @property
    def is_private(self) -> bool:
        return self.archetype == "private_message"

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "topic"


class _Forum:
    """Everything the forum knows, and every way it can change; each change sends its webhooks."""

    def __init__(self, clock: Clock, sender: WebhookSender) -> None:
        self.base_url = "https://forum.example.com"
        self.members: dict[str, ForumMember] = {}
        self.topics: dict[int, ForumTopic] = {}
        self.clock = clock
        self._sender = sender
        self._post_ids = itertools.count(101)
        self._event_ids = itertools.count(1)

    def member(self, username: str) -> ForumMember:
        if username.lower() not in self.members:
            raise UnknownNameError(f"No member is called '{username}'.")
        return self.members[username.lower()]

    def topic(self, topic_id: int) -> ForumTopic:
        if topic_id not in self.topics:
            raise UnknownNameError(f"There is no topic {topic_id}.")
        return self.topics[topic_id]

    def post(self, post_id: int) -> ForumPost:
        for topic in self.topics.values():
            for post in topic.posts:
                if post.id == post_id:
                    return post
        raise UnknownNameError(f"There is no post {post_id}.")

    def open_topic(
        self,
        actor: str,
        title: str,
        raw: str,
        *,
        category: int | None = None,
        recipients: Sequence[str] = (),
        external_id: str | None = None,
    ) -> ForumPost:
        """Opens a topic, or with recipients a private message, and returns its first post."""
        author = self.member(actor).username
        readers = dict.fromkeys([author, *(self.member(name).username for name in recipients)]) if recipients else {}
        topic = ForumTopic(11 + len(self.topics), title, author, self.clock(), category=category)
        topic.archetype = "private_message" if recipients else "regular"
        topic.participants, topic.external_id = tuple(readers), external_id
        self.topics[topic.id] = topic
        post = self._append(topic, author, raw, None)
        self._announce("topic", "topic_created", self._topic_in_webhook(topic))
        self._announce("post", "post_created", self.show_post_in_webhook(post))
        return post

    def reply(self, topic: ForumTopic, actor: str, raw: str, reply_to: int | None = None) -> ForumPost:
        post = self._append(topic, self.member(actor).username, raw, reply_to)
        self._announce("post", "post_created", self.show_post_in_webhook(post))
        return post

    def set_closed(self, topic: ForumTopic, actor: str, *, is_closed: bool) -> None:
        """Closes or reopens a topic: a small action tells of it first, then the topic itself."""
        member, topic.is_closed = self.member(actor), is_closed
        trace = self._append(topic, member.username, "", None)
        trace.action = f"closed.{'enabled' if is_closed else 'disabled'}"
        self._announce("post", "post_created", self.show_post_in_webhook(trace))
        self._announce("topic", "topic_closed_status_updated", self._topic_in_webhook(topic))

    def edit(self, post: ForumPost, raw: str, reason: str | None = None) -> None:
        post.raw, post.edit_reason = raw, reason
        post.version += 1
        post.updated = self.clock()
        self._announce("post", "post_edited", self.show_post_in_webhook(post))

    def _append(self, topic: ForumTopic, author: str, raw: str, reply_to: int | None) -> ForumPost:
        now = self.clock()
        post = ForumPost(next(self._post_ids), topic.id, len(topic.posts) + 1, author, raw, now, now, reply_to)
        topic.posts.append(post)
        return post

    def _announce(self, kind: str, event: str, content: Json) -> None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Discourse/3.5.0",
            "X-Discourse-Instance": self.base_url,
            "X-Discourse-Event-Id": str(next(self._event_ids)),
            "X-Discourse-Event-Type": kind,
            "X-Discourse-Event": event,
        }
        self._sender.send(event, {kind: content}, headers, "X-Discourse-Event-Signature")

    def show_member(self, username: str) -> Json:
        member = self.member(username)
        avatar = f"/letter_avatar_proxy/v4/letter/{member.username[0].lower()}/{{size}}.png"
        return {"id": member.id, "username": member.username, "name": member.name, "avatar_template": avatar}

    def show_post(self, post: ForumPost) -> Json:
        """A post as every answer shows it."""
        topic, author = self.topics[post.topic], self.member(post.author)
        return {
            **_POST_CONSTANTS,
            **self.show_member(post.author),
            **({"action_code": post.action} if post.action else {}),
            "id": post.id,
            "post_type": _SMALL_ACTION if post.action else _REGULAR_POST,
            "user_id": author.id,
            "display_username": author.name,
            "created_at": _show_instant(post.created),
            "updated_at": _show_instant(post.updated),
            "cooked": "".join(f"<p>{html.escape(part)}</p>\n" for part in post.raw.split("\n\n")).strip(),
            "raw": post.raw,
            "post_number": post.number,
            "reply_to_post_number": post.reply_to,
            "posts_count": len(topic.written),
            "topic_id": topic.id,
            "topic_slug": topic.slug,
            "version": post.version,
            "edit_reason": post.edit_reason,
            "trust_level": 2,
            "moderator": author.is_staff,
            "admin": False,
            "staff": author.is_staff,
        }

    def show_post_to(self, reader: ForumMember, post: ForumPost) -> Json:
        """A post in an answer of the API, which says as well what the reader may do."""
        is_own = post.author == reader.username
        may_edit = is_own or reader.is_staff
        return {
            **self.show_post(post),
            "yours": is_own,
            "can_edit": may_edit,
            "can_delete": may_edit,
            "can_recover": False,
            "can_wiki": reader.is_staff,
            "can_view_edit_history": True,
            "actions_summary": [],
            "draft_sequence": 0,
            "post_url": f"/t/{self.topics[post.topic].slug}/{post.topic}/{post.number}",
        }

    def show_post_in_stream(self, reader: ForumMember, post: ForumPost, *, with_raw: bool) -> Json:
        """A post in a topic's answer, which shows what was written only when it is asked for, else what came of it."""
        hidden = {"draft_sequence", "post_url", "posts_count", *(() if with_raw else ("raw",))}
        shown = {name: value for name, value in self.show_post_to(reader, post).items() if name not in hidden}
        return {**shown, "read": True, "link_counts": [], "reviewable_id": 0}

    def show_post_in_webhook(self, post: ForumPost) -> Json:
        """A post as webhooks carry it, with what is said of its topic; `topic_archetype` alone marks messages."""
        topic = self.topics[post.topic]
        return {
            **self.show_post(post),
            "topic_title": topic.title,
            "topic_archetype": topic.archetype,
            "topic_posts_count": len(topic.written),
            "topic_filtered_posts_count": len(topic.written),
            "category_id": topic.category,
            "category_slug": None if topic.category is None else f"category-{topic.category}",
        }

    def show_topic(self, topic: ForumTopic) -> Json:
        """A topic without its posts."""
        last = topic.posts[-1]
        return {
            **_TOPIC_CONSTANTS,
            "id": topic.id,
            "title": topic.title,
            "fancy_title": html.escape(topic.title),
            "slug": topic.slug,
            "archetype": topic.archetype,
            "category_id": topic.category,
            **({"external_id": topic.external_id} if topic.external_id else {}),
            "closed": topic.is_closed,
            "pinned": topic.is_pinned,
            "user_id": self.member(topic.author).id,
            "posts_count": len(topic.written),
            "highest_post_number": last.number,
            "reply_count": len(topic.written) - 1,
            "participant_count": len({post.author for post in topic.posts}),
            "word_count": sum(len(post.raw.split()) for post in topic.posts),
            "created_at": _show_instant(topic.created),
            "last_posted_at": _show_instant(last.created),
        }

    def show_list(self, topics: Sequence[ForumTopic], more: str | None) -> Json:
        """A page of topics, each with who opened it; more: the address of the next page."""
        listed = [
            {
                **self.show_topic(topic),
                "bumped": True,
                "bumped_at": _show_instant(topic.bumped),
                "last_poster_username": topic.posts[-1].author,
                "posters": [{"description": "Original Poster", "user_id": self.member(topic.author).id}],
            }
            for topic in topics
        ]
        authors = [self.member(author) for author in dict.fromkeys(topic.author for topic in topics)]
        users = [
            {**self.show_member(author.username), **({"moderator": True} if author.is_staff else {})}
            for author in authors
        ]
        following = {"more_topics_url": more} if more else {}
        return {"users": users, "topic_list": {"per_page": _TOPICS_A_PAGE, "topics": listed, **following}}

    def _topic_in_webhook(self, topic: ForumTopic) -> Json:
        return {**self.show_topic(topic), "bookmarked": None, **self._show_ends(topic)}

    def _show_ends(self, topic: ForumTopic) -> Json:
        """Who opened a topic, and who wrote in it last."""
        ends = {"created_by": topic.author, "last_poster": topic.posts[-1].author}
        return {name: self.show_member(username) for name, username in ends.items()}

    def show_view(self, reader: ForumMember, topic: ForumTopic) -> Json:
        """A topic as whoever opens it gets it, but for its posts."""
        details = {**_RIGHTS, "can_remove_self_id": reader.id, **self._show_ends(topic)}
        return {**_VIEW_CONSTANTS, **self.show_topic(topic), "draft_key": f"topic_{topic.id}", "details": details}


def _show_instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- HTTP -----------------------------------------------------------------------------------------------------------


async def _object_in(request: Request) -> Json:
    """The body, JSON or a form, as Discourse takes both."""
    body = await request.body()
    try:
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(body.decode(), strict_parsing=True))
        content = json.loads(body)
        json.dumps(content, ensure_ascii=False).encode()  # letters that no answer can show
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise _DiscourseError(400, "The request's body can't be read.", "invalid_parameters")
    return content


Body = Annotated[Json, Depends(_object_in)]


class _Api:
    """What the bot may call; an API key without the bot's name, or the other way round, is refused."""

    def __init__(self, forum: _Forum, bot: ForumMember, api_key: str) -> None:
        self._forum = forum
        self._bot = bot
        self._credentials = (api_key, bot.username.lower())

    def build_app(self) -> FastAPI:
        app = FastAPI(openapi_url=None, dependencies=[Depends(self._let_in)])
        for method, path, endpoint in (
            ("GET", "/session/current.json", self._session),
            ("POST", "/posts.json", self._create_post),
            ("GET", "/posts/{post_id}.json", self._get_post),
            ("PUT", "/posts/{post_id}.json", self._update_post),
            ("GET", "/t/external_id/{external_id}.json", self._find_topic),
            ("GET", "/t/{topic_id}.json", self._get_topic),
            ("GET", "/t/{topic_id}/posts.json", self._get_posts),
            ("GET", "/latest.json", self._list_topics),
        ):
            app.add_api_route(path, endpoint, methods=[method], response_model=None)
        return app

    async def _let_in(self, request: Request) -> None:
        given = (request.headers.get("api-key"), request.headers.get("api-username", "").lower())
        if given != self._credentials:
            refused = "You are not permitted to view the requested resource. The API username or key is invalid."
            raise _DiscourseError(403, refused, "invalid_access")

    async def _session(self) -> Json:
        rights = {"admin": False, "moderator": self._bot.is_staff, "staff": self._bot.is_staff, "trust_level": 2}
        return {"current_user": {**self._forum.show_member(self._bot.username), **rights}}

    async def _get_post(self, post_id: int) -> Json:
        return self._forum.show_post_to(self._bot, self._readable_post(post_id))

    async def _update_post(self, post_id: int, body: Body) -> Json:
        post = self._readable_post(post_id)
        if post.author != self._bot.username and not self._bot.is_staff:
            raise _DiscourseError(403, "You are not permitted to view the requested resource.", "invalid_access")
        edit = body.get("post")
        if not isinstance(edit, dict):
            raise _DiscourseError(400, "param is missing or the value is empty: post", "invalid_parameters")
        raw, reason = _text(edit, "raw"), _text(edit, "edit_reason")
        self._check_length(raw, self._forum.topics[post.topic])
        self._forum.edit(post, raw, reason or None)
        return {"post": self._forum.show_post_to(self._bot, post)}

    async def _find_topic(self, external_id: str) -> RedirectResponse:
        for topic in self._forum.topics.values():
            if topic.external_id == external_id:
                return RedirectResponse(f"{self._forum.base_url}/t/{topic.id}.json", 302)
        raise UnknownNameError(external_id)

    async def _get_topic(self, topic_id: int, include_raw: str = "") -> Json:
        topic = self._readable(self._forum.topic(topic_id))
        posts = self._shown(topic.posts[:_POSTS_A_PAGE], include_raw)
        stream = {"posts": posts, "stream": [post.id for post in topic.posts]}
        return {"post_stream": stream, **self._forum.show_view(self._bot, topic)}

    async def _get_posts(
        self, topic_id: int, post_ids: Annotated[list[int], Query(alias="post_ids[]")], include_raw: str = ""
    ) -> Json:
        topic = self._readable(self._forum.topic(topic_id))
        chosen = [post for post in topic.posts if post.id in post_ids]
        return {"post_stream": {"posts": self._shown(chosen, include_raw)}, "id": topic_id}

    def _shown(self, posts: Sequence[ForumPost], include_raw: str) -> list[Json]:
        return [self._forum.show_post_in_stream(self._bot, post, with_raw=bool(include_raw)) for post in posts]

    async def _list_topics(self, category: int, page: int = 0) -> Json:
        """The topics of a category, pinned ones first, then those with the latest posts."""
        inside = [topic for topic in self._forum.topics.values() if topic.category == category]
        ordered = sorted(inside, key=lambda topic: (topic.is_pinned, topic.bumped), reverse=True)
        start, end = page * _TOPICS_A_PAGE, (page + 1) * _TOPICS_A_PAGE
        more = f"/latest?category={category}&page={page + 1}" if ordered[end:] else None
        return self._forum.show_list(ordered[start:end], more)

    async def _create_post(self, body: Body) -> Json:
        raw = _text(body, "raw")
        post = self._create_reply(body, raw) if body.get("topic_id") else self._create_topic(body, raw)
        return self._forum.show_post_to(self._bot, post)

    def _create_reply(self, body: Json, raw: str) -> ForumPost:
        known = self._forum.topics.get(_number(body, "topic_id") or 0)
        if known is None or (known.is_closed and not self._bot.is_staff):
            raise _DiscourseError(422, "The topic was closed or deleted in the meantime.")
        topic = self._readable(known)
        self._check_length(raw, topic)
        self._check_unique(raw)
        return self._forum.reply(topic, self._bot.username, raw, _number(body, "reply_to_post_number"))

    def _create_topic(self, body: Json, raw: str) -> ForumPost:
        title, external_id = _text(body, "title"), _text(body, "external_id")
        recipients = [name for name in _text(body, "target_recipients").split(",") if name]
        self._check_archetype(_text(body, "archetype"), recipients)
        self._check_title(title, is_private=bool(recipients))
        _check_shortest("Body", raw, _SHORTEST_PRIVATE_POST if recipients else _SHORTEST_POST)
        self._check_unique(raw)
        if external_id and any(topic.external_id == external_id for topic in self._forum.topics.values()):
            raise _DiscourseError(422, "External has already been taken")
        category = None if recipients else _number(body, "category")
        return self._forum.open_topic(
            self._bot.username,
            title,
            raw,
            category=category,
            recipients=recipients,
            external_id=external_id or None,
        )

    def _check_archetype(self, archetype: str, recipients: Sequence[str]) -> None:
        if (archetype == "private_message") != bool(recipients):
            raise _DiscourseError(422, "You must select a valid user.")
        if any(name.lower() not in self._forum.members for name in recipients):
            raise _DiscourseError(422, "Sorry, one of the users does not exist.")

    def _check_title(self, title: str, *, is_private: bool) -> None:
        _check_shortest("Title", title, _SHORTEST_PRIVATE_TITLE if is_private else _SHORTEST_TITLE)
        taken = {topic.title.casefold() for topic in self._forum.topics.values() if not topic.is_private}
        if not is_private and title.casefold() in taken:
            raise _DiscourseError(422, "Title has already been used")

    def _check_length(self, raw: str, topic: ForumTopic) -> None:
        _check_shortest("Body", raw, _SHORTEST_PRIVATE_POST if topic.is_private else _SHORTEST_POST)

    def _check_unique(self, raw: str) -> None:
        """Members who are not staff may not write the same again within some minutes."""
        since = self._forum.clock() - _UNIQUE_FOR
        recent = (post for topic in self._forum.topics.values() for post in topic.posts if post.created > since)
        is_repeated = any(post.author == self._bot.username and post.raw == raw for post in recent)
        if is_repeated and not self._bot.is_staff:
            raise _DiscourseError(422, "Body is too similar to what you recently posted")

    def _readable(self, topic: ForumTopic) -> ForumTopic:
        if topic.is_private and self._bot.username not in topic.participants:
            raise _DiscourseError(403, "You are not permitted to view the requested resource.", "invalid_access")
        return topic

    def _readable_post(self, post_id: int) -> ForumPost:
        post = self._forum.post(post_id)
        self._readable(self._forum.topics[post.topic])
        return post


def _text(body: Json, name: str) -> str:
    """A text parameter; "" where it is not given."""
    value = body.get(name, "")
    if not isinstance(value, str):
        raise _DiscourseError(400, f"The parameter {name} is not valid.", "invalid_parameters")
    return value


def _number(body: Json, name: str) -> int | None:
    """A number, which forms carry as text; None where it is not given."""
    value = str(body.get(name, "") or "")
    if value and not re.fullmatch(r"[0-9]{1,9}", value):
        raise _DiscourseError(400, f"The parameter {name} is not valid.", "invalid_parameters")
    return int(value) if value else None


def _check_shortest(what: str, text: str, shortest: int) -> None:
    if len(text.strip()) < shortest:
        raise _DiscourseError(422, f"{what} is too short (minimum is {shortest} characters)")


# --- The stand-in ---------------------------------------------------------------------------------------------------


class DiscourseStandIn:
    """A forum with a bot's account and people who act in the story.

    Every action of people returns when the webhooks that it caused are answered or given up; it raises UnknownNameError
    for a member, topic or post that is not there. Writes through `app` are done by the bot and send webhooks too, which
    `sender.drain()` waits for.

    clock: the forum's time; sender: sends the webhooks once it has a target; api_key: the bot calls with it;
    bot_username: the bot's account; bot_is_staff: whether it may edit others' posts and repeat itself.
    """

    def __init__(
        self,
        clock: Clock,
        sender: WebhookSender,
        *,
        api_key: str,
        bot_username: str = "crafty",
        bot_is_staff: bool = False,
    ) -> None:
        self._forum = _Forum(clock, sender)
        self.sender = sender
        self.bot = self.add_person(bot_username, "Crafty", is_staff=bot_is_staff)
        self.app = _Api(self._forum, self.bot, api_key).build_app()
        self.app.add_exception_handler(_DiscourseError, _answer_error)
        self.app.add_exception_handler(UnknownNameError, _answer_missing)
        self.app.add_exception_handler(RequestValidationError, _answer_missing)

    @property
    def base_url(self) -> str:
        """The address that webhooks and redirects name, without a slash at its end; set it once the app is served."""
        return self._forum.base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._forum.base_url = url

    @property
    def topics(self) -> dict[int, ForumTopic]:
        """Every topic and private message by id."""
        return self._forum.topics

    def posts(self, topic: int) -> list[ForumPost]:
        """A topic's posts, the opening one first."""
        return list(self._forum.topic(topic).posts)

    def add_person(self, username: str, name: str, *, is_staff: bool = False) -> ForumMember:
        """Opens an account."""
        member = ForumMember(1 + len(self._forum.members), username, name, is_staff)
        self._forum.members[username.lower()] = member
        return member

    async def open_topic(self, actor: str, title: str, raw: str, category: int) -> ForumTopic:
        """Opens a topic in a category. raw: Markdown of its first post."""
        post = self._forum.open_topic(actor, title, raw, category=category)
        await self.sender.drain()
        return self._forum.topics[post.topic]

    async def reply(self, topic: int, actor: str, raw: str, reply_to: int | None = None) -> ForumPost:
        """Answers in a topic. reply_to: the number of the post that is answered."""
        post = self._forum.reply(self._forum.topic(topic), actor, raw, reply_to)
        await self.sender.drain()
        return post

    async def close(self, topic: int, actor: str) -> None:
        """Closes a topic to further posts."""
        self._forum.set_closed(self._forum.topic(topic), actor, is_closed=True)
        await self.sender.drain()

    async def reopen(self, topic: int, actor: str) -> None:
        """Opens a closed topic again."""
        self._forum.set_closed(self._forum.topic(topic), actor, is_closed=False)
        await self.sender.drain()

    async def edit_post(self, post: int, raw: str) -> None:
        """Rewrites a post, by its id."""
        self._forum.edit(self._forum.post(post), raw)
        await self.sender.drain()

    async def private_message(self, actor: str, recipients: Sequence[str], title: str, raw: str) -> ForumTopic:
        """Writes a private message to at least one member."""
        post = self._forum.open_topic(actor, title, raw, recipients=recipients)
        await self.sender.drain()
        return self._forum.topics[post.topic]


async def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, _DiscourseError) else _DiscourseError(500, "Internal server error")
    return JSONResponse(known.content, known.status)


async def _answer_missing(_request: Request, _error: Exception) -> JSONResponse:
    missing = _DiscourseError(404, "The requested URL or resource could not be found.", "not_found")
    return JSONResponse(missing.content, missing.status)
