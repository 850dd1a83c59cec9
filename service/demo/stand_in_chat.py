"""A stand-in for Mattermost: people, direct channels, one team, posts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from service.clock import Clock

BOT: Final = "user-crafty"
TEAM: Final = "team-open"


@dataclass(frozen=True)
class ChatMessage:
    """A post. recipients: user names for a direct message, else the channel's name."""

    id: str
    recipients: tuple[str, ...]
    text: str


@dataclass
class ChatStandIn:
    """One Mattermost server; every name that is asked for is a user, unless it begins with "nobody"."""

    clock: Clock
    token: str
    messages: list[ChatMessage] = field(default_factory=list)
    _channels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _posts: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def app(self) -> FastAPI:
        """The HTTP side."""
        app = FastAPI(title="Mattermost stand-in", openapi_url=None)
        routes = [
            ("GET", "/api/v4/users/me", self._me),
            ("GET", "/api/v4/users/me/teams", self._teams),
            ("GET", "/api/v4/users/username/{name}", self._user),
            ("POST", "/api/v4/channels/direct", self._direct),
            ("GET", "/api/v4/teams/name/{team}/channels/name/{name}", self._channel),
            ("GET", "/api/v4/teams/{team}/channels/name/{name}", self._channel),
            ("GET", "/api/v4/channels/{channel}/posts", self._recent),
            ("POST", "/api/v4/posts", self._post),
        ]
        for method, path, answer in routes:
            app.add_route(path, self._guarded(answer), methods=[method])
        app.add_exception_handler(HTTPException, _error)
        return app

    def _guarded(self, answer: Any) -> Any:
        async def endpoint(request: Request) -> JSONResponse:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                raise HTTPException(401, "Invalid or expired session, please login again.")
            status, content = await answer(request)
            return JSONResponse(content, status)

        return endpoint

    async def _me(self, _: Request) -> Any:
        return 200, {"id": BOT, "username": "crafty", "delete_at": 0}

    async def _teams(self, _: Request) -> Any:
        return 200, [{"id": TEAM, "name": "open", "delete_at": 0}]

    async def _user(self, request: Request) -> Any:
        name = request.path_params["name"]
        if name.startswith("nobody"):
            raise HTTPException(404, "Unable to find an existing account matching your username for this team.")
        return 200, {"id": f"user-{name}", "username": name, "delete_at": 0}

    async def _direct(self, request: Request) -> Any:
        people = tuple(one.removeprefix("user-") for one in await request.json() if one != BOT)
        channel = f"direct-{'-'.join(people)}"
        self._channels[channel] = people
        return 201, {"id": channel, "type": "D"}

    async def _channel(self, request: Request) -> Any:
        name = request.path_params["name"]
        self._channels[f"channel-{name}"] = (f"#{name}",)
        return 200, {"id": f"channel-{name}", "name": name, "type": "O"}

    async def _recent(self, request: Request) -> Any:
        own = [post for post in reversed(self._posts) if post["channel_id"] == request.path_params["channel"]]
        return 200, {"order": [post["id"] for post in own], "posts": {post["id"]: post for post in own}}

    async def _post(self, request: Request) -> Any:
        wanted = await request.json()
        pending = wanted.get("pending_post_id")
        for post in self._posts:
            if pending and post["pending_post_id"] == pending and post["age"] > self.clock().timestamp() - 30:
                return 201, post
        post = {**wanted, "id": f"post-{next(self._numbers)}", "user_id": BOT, "age": self.clock().timestamp()}
        post.setdefault("pending_post_id", "")
        post["create_at"] = int(post["age"] * 1000)
        self._posts.append(post)
        self.messages.append(ChatMessage(post["id"], self._channels[wanted["channel_id"]], wanted["message"]))
        return 201, post


async def _error(_: Request, error: Exception) -> JSONResponse:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "error")
    return JSONResponse({"id": "api.error", "message": detail, "status_code": status}, status)
