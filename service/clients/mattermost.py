"""Mattermost: messages to people and channels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import msgspec

from service.clients._http import Api, Credential, Sleep, under
from service.errors import CannotAct, NotFound
from service.facts import Person
from service.limits import MATTERMOST, OPEN, Gate
from service.texts import Message, to_mattermost

_MARK: Final = "crafty"
_RECENT_POSTS: Final = 60
_DAY: Final = 86_400.0


class _User(msgspec.Struct):
    id: str
    username: str
    delete_at: int = 0


class _Team(msgspec.Struct):
    name: str


class _Thing(msgspec.Struct):
    id: str


class _Post(msgspec.Struct):
    user_id: str
    props: dict[str, Any] | None = None


class _Posts(msgspec.Struct):
    """One page of a channel's posts, by id."""

    posts: dict[str, _Post] = {}


def connect(
    url: str,
    token: str,
    sleep: Sleep = asyncio.sleep,
    gate: Gate = OPEN,
    seconds: Callable[[], float] = time.monotonic,
) -> Mattermost:
    """A client for the server at `url`.

    token: a bot's or a person's access token; seconds: a clock that only goes on.
    """
    credential = Credential("CRAFTY_MATTERMOST_TOKEN", {"Authorization": f"Bearer {token}"}, (token,))
    return Mattermost(Api("Mattermost", f"{url.rstrip('/')}/api/v4", credential, sleep, MATTERMOST, gate), seconds)


class Mattermost:
    """Mattermost's API v4. Errors of every call: NotFound, TryLater, CannotAct."""

    def __init__(self, api: Api, seconds: Callable[[], float]) -> None:
        self._api = api
        self._seconds = seconds
        self._me: _User | None = None
        self._channels: dict[str, str] = {}
        self._users: dict[str, tuple[float, str]] = {}
        self._direct: dict[str, str] = {}

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._api.aclose()

    async def identify(self) -> Person:
        """The account that the token belongs to."""
        me = await self._myself()
        return Person(name=me.username, mattermost=me.username)

    async def find_user(self, username: str) -> str:
        """The id of the user with that name.

        NotFound also for a deactivated account: Mattermost would take the message and nobody would read it. It is asked
        for once a day.
        """
        now = self._seconds()
        asked, found = self._users.get(username, (now - _DAY, ""))
        if now - asked < _DAY:
            return found
        user = await self._api.request("GET", under("/users/username", username), into=_User)
        if user.delete_at:
            raise NotFound(f"Mattermost's account “{username}” is deactivated.")
        self._users[username] = now, user.id
        return user.id

    async def is_in(self, channel: str) -> bool:
        """Whether we are a member of the channel, named as for `post`; NotFound where we see no such channel."""
        path = f"{under('/channels', await self._channel_id(channel))}/members/me"
        try:
            await self._api.send("GET", path)
        except NotFound:
            return False
        return True

    async def direct_message(
        self, username: str, message: Message, zone: str | None = None, *, key: str, is_retry: bool = False
    ) -> str:
        """Writes to one person and returns the post's id.

        zone: the reader's IANA time zone; key and is_retry: see `post`.
        """
        channel = await self._direct_channel(username)
        return await self._post({"channel_id": channel, "message": to_mattermost(message, zone)}, key, is_retry)

    async def post(
        self,
        channel: str,
        message: Message,
        zone: str | None = None,
        *,
        key: str,
        root_id: str | None = None,
        is_retry: bool = False,
    ) -> str:
        """Writes to a channel and returns the post's id.

        channel: "team/channel", or "channel" in the bot's own team (the first by name, where there are several);
        root_id: the post that this one answers; key: what the post bears in its props; is_retry: whether a post with
        this key may stand there already, and is then looked for among the channel's latest. Without that look a
        repeated key makes no second post for half a minute only, as long as the server remembers it.
        """
        thread = {"root_id": root_id} if root_id else {}
        body = {"channel_id": await self._channel_id(channel), "message": to_mattermost(message, zone), **thread}
        return await self._post(body, key, is_retry)

    async def _post(self, body: dict[str, Any], key: str, is_retry: bool) -> str:
        me = await self._myself()
        standing = await self._find_post(body["channel_id"], key) if is_retry else None
        if standing is not None:
            return standing
        pending = f"{me.id}:{sha256(key.encode()).hexdigest()[:32]}"
        marked = {**body, "pending_post_id": pending, "props": {_MARK: key}}
        return (await self._api.request("POST", "/posts", json=marked, into=_Thing)).id

    async def _find_post(self, channel_id: str, key: str) -> str | None:
        """Our own post with that key among the channel's latest."""
        me, path = await self._myself(), f"{under('/channels', channel_id)}/posts"
        page = await self._api.request("GET", path, params={"per_page": _RECENT_POSTS}, into=_Posts)
        own = (post_id for post_id, post in page.posts.items() if post.user_id == me.id and _key_of(post) == key)
        return next(own, None)

    async def _myself(self) -> _User:
        if self._me is None:
            self._me = await self._api.request("GET", "/users/me", into=_User)
        return self._me

    async def _direct_channel(self, username: str) -> str:
        """The channel that we share with a person; it stays the same as long as they do."""
        me, them = await self._myself(), await self.find_user(username)
        if them not in self._direct:
            channel = await self._api.request("POST", "/channels/direct", json=[me.id, them], into=_Thing)
            self._direct[them] = channel.id
        return self._direct[them]

    async def _channel_id(self, channel: str) -> str:
        if channel not in self._channels:
            team, _, name = channel.rpartition("/")
            path = f"{under('/teams/name', team or await self._own_team())}{under('/channels/name', name)}"
            self._channels[channel] = (await self._api.request("GET", path, into=_Thing)).id
        return self._channels[channel]

    async def _own_team(self) -> str:
        teams = await self._api.request("GET", "/users/me/teams", into=list[_Team])
        if not teams:
            raise CannotAct("Mattermost: the bot is in no team yet; add it to the one that it should write to.")
        return min(team.name for team in teams)


def _key_of(post: _Post) -> Any:
    return (post.props or {}).get(_MARK)
