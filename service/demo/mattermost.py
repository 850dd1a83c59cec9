"""A stand-in for a Mattermost server: people, channels and the messages that a bot posts there."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from service.clock import Clock

Json = dict[str, Any]

_LONGEST_MESSAGE: Final = 16383
_LARGEST_PAGE: Final = 200
_REMEMBERS_PENDING_FOR: Final = timedelta(seconds=30)


class _MattermostError(Exception):
    """An answer with an error. code: Mattermost's own name of it, without its suffix."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.content = {"id": f"{code}.app_error", "message": message, "request_id": "", "status_code": status}


@dataclass(frozen=True)
class ChatPerson:
    """An account. id: 26 letters and digits, as Mattermost's ids are."""

    id: str
    username: str
    name: str
    email: str
    is_bot: bool
    created: datetime


@dataclass(frozen=True)
class ChatTeam:
    id: str
    name: str
    created: datetime


@dataclass(frozen=True)
class ChatChannel:
    """A channel. team: "" for a conversation of two; members: ids of those who may post there."""

    id: str
    name: str
    team: str
    members: frozenset[str]
    created: datetime

    @property
    def is_direct(self) -> bool:
        return not self.team


@dataclass
class ChatPost:
    """A post, as it was last edited."""

    id: str
    channel: str
    author: str
    message: str
    root: str
    props: Json
    pending_id: str
    created: datetime
    edited: datetime | None = None


@dataclass(frozen=True)
class ChatMessage:
    """A post as people see it. recipients: user names in a conversation of two, else `#` and the channel's name."""

    recipients: tuple[str, ...]
    text: str
    at: datetime
    is_direct: bool
    props: Json = field(default_factory=dict)


def _new_id(*seed: str) -> str:
    digest = hashlib.sha256("/".join(seed).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:26]


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _times(created: datetime, updated: datetime | None = None) -> Json:
    return {"create_at": _millis(created), "update_at": _millis(updated or created), "delete_at": 0}


def _show_person(person: ChatPerson) -> Json:
    return {
        "id": person.id,
        **_times(person.created),
        "username": person.username,
        "first_name": person.name,
        "last_name": "",
        "nickname": "",
        "email": person.email,
        "auth_service": "",
        "roles": "system_user",
        "locale": "en",
        **({"is_bot": True} if person.is_bot else {}),
    }


def _show_team(team: ChatTeam) -> Json:
    shown = {"id": team.id, **_times(team.created), "name": team.name, "display_name": team.name}
    return {**shown, "description": "", "email": "", "type": "O", "allowed_domains": "", "allow_open_invite": False}


def _show_channel(channel: ChatChannel) -> Json:
    kind = "D" if channel.is_direct else "O"
    shown = {"id": channel.id, **_times(channel.created), "team_id": channel.team, "type": kind, "name": channel.name}
    return {**shown, "display_name": "" if channel.is_direct else channel.name, "header": "", "purpose": ""}


def _show_post(post: ChatPost) -> Json:
    return {
        "id": post.id,
        **_times(post.created, post.edited),
        "edit_at": _millis(post.edited) if post.edited else 0,
        "is_pinned": False,
        "user_id": post.author,
        "channel_id": post.channel,
        "root_id": post.root,
        "original_id": "",
        "message": post.message,
        "type": "",
        "props": post.props,
        "hashtags": "",
        "pending_post_id": post.pending_id,
        "metadata": {},
    }


class _Server:
    """Everything the server knows. People are kept by user name, all else by id."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.people: dict[str, ChatPerson] = {}
        self.teams: dict[str, ChatTeam] = {}
        self.channels: dict[str, ChatChannel] = {}
        self.posts: dict[str, ChatPost] = {}
        self._numbers = itertools.count(1)

    def person_by(self, matches: Callable[[ChatPerson], bool]) -> ChatPerson:
        found = next((person for person in self.people.values() if matches(person)), None)
        if found is None:
            raise _MattermostError(404, "app.user.missing_account.const", "Unable to find the user.")
        return found

    def team_by(self, matches: Callable[[ChatTeam], bool]) -> ChatTeam:
        found = next((team for team in self.teams.values() if matches(team)), None)
        if found is None:
            raise _MattermostError(404, "app.team.get_by_name.missing", "Unable to find the existing team.")
        return found

    def channel_named(self, team: ChatTeam, name: str) -> ChatChannel:
        for channel in self.channels.values():
            if channel.team == team.id and channel.name == name:
                return channel
        raise _MattermostError(404, "app.channel.get_by_name.missing", "Channel does not exist.")

    def direct_channel(self, first: str, second: str) -> ChatChannel:
        """The conversation of two people, which is opened when they have none; the order does not matter."""
        name = "__".join(sorted((first, second)))
        channel = ChatChannel(_new_id("direct", name), name, "", frozenset({first, second}), self.clock())
        return self.channels.setdefault(channel.id, channel)

    def add_post(self, channel: ChatChannel, author: str, message: str, body: Json) -> ChatPost:
        post_id = _new_id("post", str(next(self._numbers)))
        root, props, pending = body.get("root_id", ""), body.get("props") or {}, body.get("pending_post_id", "")
        post = ChatPost(post_id, channel.id, author, message, root, props, pending, self.clock())
        self.posts[post_id] = post
        return post


async def _json_in(request: Request) -> Any:
    try:
        body = json.loads(await request.body())
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()  # numbers and letters that no answer can show
    except (ValueError, RecursionError):
        raise _invalid("body") from None
    return body


def _invalid(name: str) -> _MattermostError:
    return _MattermostError(400, "api.context.invalid_body_param", f"Invalid or missing {name} in request body.")


AnyBody = Annotated[Any, Depends(_json_in)]
Page = Annotated[int, Query(ge=0)]
PerPage = Annotated[int, Query(ge=0)]


class _Api:
    """`/api/v4`, as the bot sees it."""

    def __init__(self, server: _Server, bot: ChatPerson, token: str) -> None:
        self._server = server
        self._bot = bot
        self._expected = f"Bearer {token}"

    def build_app(self) -> FastAPI:
        app = FastAPI(openapi_url=None, dependencies=[Depends(self._let_in)])
        for method, path, endpoint, status in (
            ("GET", "/users/username/{username}", self._get_by_username, 200),
            ("GET", "/users/email/{email}", self._get_by_email, 200),
            ("POST", "/users/usernames", self._list_by_usernames, 200),
            ("GET", "/users/{user_id}", self._get_user, 200),
            ("GET", "/users/{user_id}/teams", self._list_teams, 200),
            ("POST", "/channels/direct", self._open_direct, 201),
            ("GET", "/teams/name/{team}/channels/name/{channel}", self._get_channel_by_names, 200),
            ("GET", "/teams/{team_id}/channels/name/{channel}", self._get_channel, 200),
            ("GET", "/channels/{channel_id}/members/{user_id}", self._get_member, 200),
            ("GET", "/channels/{channel_id}/posts", self._list_posts, 200),
            ("POST", "/posts", self._create_post, 201),
            ("PUT", "/posts/{post_id}/patch", self._patch_post, 200),
        ):
            app.add_api_route(f"/api/v4{path}", endpoint, methods=[method], status_code=status, response_model=None)
        return app

    async def _let_in(self, request: Request) -> None:
        if request.headers.get("authorization") != self._expected:
            raise _MattermostError(
                401, "api.context.session_expired", "Invalid or expired session, please login again."
            )

    async def _get_user(self, user_id: str) -> Json:
        return _show_person(self._person(user_id))

    def _person(self, user_id: str) -> ChatPerson:
        """`me` stands for the bot."""
        return self._bot if user_id == "me" else self._server.person_by(lambda person: person.id == user_id)

    async def _get_by_username(self, username: str) -> Json:
        return _show_person(self._server.person_by(lambda person: person.username == username.lower()))

    async def _get_by_email(self, email: str) -> Json:
        return _show_person(self._server.person_by(lambda person: person.email == email.lower()))

    async def _list_by_usernames(self, names: AnyBody) -> list[Json]:
        """Names that nobody has are left out."""
        if not isinstance(names, list) or not names:
            raise _invalid("usernames")
        return [_show_person(person) for name, person in self._server.people.items() if name in names]

    async def _list_teams(self, user_id: str) -> list[Json]:
        self._person(user_id)
        return [_show_team(team) for team in self._server.teams.values()]

    async def _open_direct(self, ids: AnyBody) -> Json:
        if not isinstance(ids, list) or len(ids) != 2 or not all(isinstance(one, str) for one in ids):
            raise _invalid("user_ids")
        first, second = (self._person(one).id for one in ids)
        if self._bot.id not in {first, second}:
            raise _MattermostError(403, "api.context.permissions", "You do not have the appropriate permissions.")
        return _show_channel(self._server.direct_channel(first, second))

    async def _get_channel_by_names(self, team: str, channel: str) -> Json:
        found = self._server.team_by(lambda one: one.name == team)
        return _show_channel(self._server.channel_named(found, channel))

    async def _get_channel(self, team_id: str, channel: str) -> Json:
        found = self._server.team_by(lambda one: one.id == team_id)
        return _show_channel(self._server.channel_named(found, channel))

    async def _get_member(self, channel_id: str, user_id: str) -> Json:
        person, channel = self._person(user_id), self._server.channels.get(channel_id)
        if channel is None or person.id not in channel.members:
            raise _MattermostError(404, "app.channel.get_member.missing", "No channel member found for that user ID.")
        return {"channel_id": channel.id, "user_id": person.id, "roles": "channel_user", "msg_count": 0}

    async def _list_posts(self, channel_id: str, page: Page = 0, per_page: PerPage = 60) -> Json:
        """The newest posts first; a page never holds more than 200."""
        channel = self._channel_of({"channel_id": channel_id})
        newest = [post for post in reversed(self._server.posts.values()) if post.channel == channel.id]
        size = min(per_page, _LARGEST_PAGE)
        posts = newest[page * size : (page + 1) * size]
        shown = {post.id: _show_post(post) for post in posts}
        return {"order": [post.id for post in posts], "posts": shown, "next_post_id": "", "prev_post_id": ""}

    async def _create_post(self, body: AnyBody) -> Json:
        message, channel = self._read_message(body), self._channel_of(body)
        again = self._pending(body.get("pending_post_id", ""))
        return _show_post(again or self._server.add_post(channel, self._bot.id, message, body))

    def _read_message(self, body: Any) -> str:
        texts = ("message", "root_id", "pending_post_id")
        if not isinstance(body, dict) or not all(isinstance(body.get(name, ""), str) for name in texts):
            raise _invalid("post")
        if not isinstance(body.get("props"), dict | None):
            raise _invalid("props")
        message: str = body.get("message", "")
        if len(message) > _LONGEST_MESSAGE:
            raise _MattermostError(400, "model.post.is_valid.message_length", "Post Message property is too long.")
        return message

    def _channel_of(self, body: Json) -> ChatChannel:
        channel = self._server.channels.get(str(body.get("channel_id")))
        if channel is None or self._bot.id not in channel.members:
            raise _MattermostError(403, "api.context.permissions", "You do not have the appropriate permissions.")
        return channel

    def _pending(self, pending_id: str) -> ChatPost | None:
        """The post that came with the same pending id a moment ago."""
        since = self._server.clock() - _REMEMBERS_PENDING_FOR
        recent = (post for post in self._server.posts.values() if post.created > since)
        return next((post for post in recent if pending_id and post.pending_id == pending_id), None)

    async def _patch_post(self, post_id: str, body: AnyBody) -> Json:
        post = self._server.posts.get(post_id)
        if post is None or post.author != self._bot.id:
            raise _MattermostError(403, "api.context.permissions", "You do not have the appropriate permissions.")
        message = self._read_message(body)
        if "message" in body:
            post.message = message
        post.props = body.get("props") or post.props
        post.edited = self._server.clock()
        return _show_post(post)


class MattermostStandIn:
    """A chat server with a bot's account.

    clock: the server's time; token: the bot calls with it; team: the one team's name; bot_username: the bot's account.
    """

    def __init__(self, clock: Clock, *, token: str, team: str = "opencraft", bot_username: str = "crafty") -> None:
        self._server = _Server(clock)
        self._team = ChatTeam(_new_id("team", team), team, clock())
        self._server.teams[self._team.id] = self._team
        self.bot = self.add_person(bot_username, "Crafty", is_bot=True)
        self.app = _Api(self._server, self.bot, token).build_app()
        self.app.add_exception_handler(_MattermostError, _answer_error)
        self.app.add_exception_handler(RequestValidationError, _answer_invalid)

    @property
    def messages(self) -> list[ChatMessage]:
        """What the bot has posted, oldest first, each as last edited."""
        return [self._seen(post) for post in self._server.posts.values()]

    def add_person(self, username: str, name: str, *, is_bot: bool = False) -> ChatPerson:
        """Opens an account. username: in lower case, as Mattermost has them."""
        created = self._server.clock()
        person = ChatPerson(_new_id("user", username), username, name, f"{username}@example.com", is_bot, created)
        self._server.people[username] = person
        return person

    def add_channel(self, name: str, *, has_bot: bool = True) -> ChatChannel:
        """Opens a channel in the team. has_bot: whether the bot is a member, which it must be to post there."""
        members = frozenset({self.bot.id}) if has_bot else frozenset()
        channel = ChatChannel(_new_id("channel", name), name, self._team.id, members, self._server.clock())
        self._server.channels[channel.id] = channel
        return channel

    def _seen(self, post: ChatPost) -> ChatMessage:
        channel = self._server.channels[post.channel]
        others = tuple(
            one.username for one in self._server.people.values() if one.id in channel.members - {post.author}
        )
        recipients = others if channel.is_direct else (f"#{channel.name}",)
        return ChatMessage(recipients, post.message, post.created, channel.is_direct, post.props)


async def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, _MattermostError) else _MattermostError(500, "api", "Internal server error")
    return JSONResponse(known.content, known.status)


async def _answer_invalid(request: Request, _error: Exception) -> JSONResponse:
    return await _answer_error(
        request, _MattermostError(400, "api.context.invalid_url_param", "Invalid URL parameter.")
    )
