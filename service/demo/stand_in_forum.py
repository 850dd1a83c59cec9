"""A stand-in for Discourse: topics, posts, private messages, and the webhooks that all of them cause."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from service.clock import Clock
from service.demo._sender import WebhookSender

BOT: Final = "crafty"
INSTANCE: Final = "https://forum.example"


@dataclass
class ForumPost:
    """One post of a topic."""

    id: int
    number: int
    author: str
    raw: str


@dataclass
class ForumTopic:
    """A topic, or a private message."""

    id: int
    title: str
    category: int | None
    archetype: str
    posts: list[ForumPost] = field(default_factory=list)


class ForumStandIn:
    """One forum. `sender.target` says where its webhooks go."""

    def __init__(self, clock: Clock, sender: WebhookSender, *, key: str) -> None:
        self.topics: dict[int, ForumTopic] = {}
        self.sender = sender
        self._clock = clock
        self._key = key
        self._numbers = itertools.count(100)
        self._events = itertools.count(1)
        self.app = self._routes()

    async def open_topic(self, actor: str, title: str, raw: str, category: int) -> ForumTopic:
        """Opens a public topic."""
        return self._open(ForumTopic(next(self._numbers), title, category, "regular"), actor, raw)

    async def private_message(self, actor: str, title: str, raw: str) -> ForumTopic:
        """Writes a private message; the forum tells webhooks of it all the same."""
        return self._open(ForumTopic(next(self._numbers), title, None, "private_message"), actor, raw)

    async def reply(self, topic: int, actor: str, raw: str) -> ForumPost:
        """Answers in a topic."""
        return self._add(self.topics[topic], actor, raw)

    def _open(self, topic: ForumTopic, actor: str, raw: str) -> ForumTopic:
        self.topics[topic.id] = topic
        self._send("topic", "topic_created", self._topic(topic, actor))
        self._add(topic, actor, raw)
        return topic

    def _add(self, topic: ForumTopic, actor: str, raw: str) -> ForumPost:
        post = ForumPost(next(self._numbers), len(topic.posts) + 1, actor, raw)
        topic.posts.append(post)
        self._send("post", "post_created", self._post(topic, post))
        return post

    def _topic(self, topic: ForumTopic, actor: str) -> dict[str, Any]:
        return {
            "id": topic.id,
            "title": topic.title,
            "archetype": topic.archetype,
            "category_id": topic.category,
            "created_at": self._now(),
            "last_posted_at": self._now(),
            "created_by": {"id": 1, "username": actor, "name": actor.title()},
        }

    def _post(self, topic: ForumTopic, post: ForumPost) -> dict[str, Any]:
        return {
            "id": post.id,
            "topic_id": topic.id,
            "post_number": post.number,
            "post_type": 1,
            "username": post.author,
            "name": post.author.title(),
            "topic_title": topic.title,
            "topic_slug": "topic",
            "topic_archetype": topic.archetype,
            "category_id": topic.category,
            "raw": post.raw,
            "cooked": f"<p>{post.raw}</p>",
            "created_at": self._now(),
            "updated_at": self._now(),
            "version": 1,
        }

    def _now(self) -> str:
        return self._clock().strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def _send(self, kind: str, event: str, content: dict[str, Any]) -> None:
        headers = {
            "Content-Type": "application/json",
            "X-Discourse-Instance": INSTANCE,
            "X-Discourse-Event-Id": str(next(self._events)),
            "X-Discourse-Event-Type": kind,
            "X-Discourse-Event": event,
        }
        self.sender.send(event, {kind: content}, headers, "X-Discourse-Event-Signature")

    def _routes(self) -> FastAPI:
        app = FastAPI(title="Discourse stand-in", openapi_url=None)
        routes = [
            ("GET", "/session/current.json", self._session),
            ("GET", "/u/{name}.json", self._user),
            ("GET", "/t/{topic}.json", self._get_topic),
            ("POST", "/posts.json", self._create_post),
        ]
        for method, path, answer in routes:
            app.add_route(path, self._guarded(answer), methods=[method])
        app.add_exception_handler(HTTPException, _error)
        return app

    def _guarded(self, answer: Any) -> Any:
        async def endpoint(request: Request) -> JSONResponse:
            if request.headers.get("api-key") != self._key or not request.headers.get("api-username"):
                raise HTTPException(403, "You are not permitted to view the requested resource.")
            return JSONResponse(await answer(request))

        return endpoint

    async def _session(self, _: Request) -> Any:
        return {"current_user": {"id": 9, "username": BOT, "name": "Crafty"}}

    async def _user(self, request: Request) -> Any:
        return {"user": {"id": 9, "username": request.path_params["name"], "name": "Crafty"}}

    async def _get_topic(self, request: Request) -> Any:
        topic = self._topic_of(request.path_params["topic"])
        posts = [self._post(topic, post) for post in topic.posts]
        stream = {"posts": posts, "stream": [post.id for post in topic.posts]}
        return {**self._topic(topic, topic.posts[0].author), "post_stream": stream}

    async def _create_post(self, request: Request) -> Any:
        wanted = await request.json()
        topic = self._topic_of(wanted.get("topic_id"))
        return self._post(topic, self._add(topic, BOT, wanted["raw"]))

    def _topic_of(self, number: Any) -> ForumTopic:
        topic = self.topics.get(int(number or 0))
        if topic is None:
            raise HTTPException(404, "The requested URL or resource could not be found.")
        return topic


async def _error(_: Request, error: Exception) -> JSONResponse:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "error")
    return JSONResponse({"errors": [detail], "error_type": "error"}, status)
