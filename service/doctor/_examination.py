"""The whole examination: everything that can be asked at the same time is, and nothing is waited for long."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import httpx
from redis.asyncio import Redis

from service.clients._http import Moved
from service.clients.github import GitHub
from service.clients.gitlab import GitLab
from service.clock import Clock
from service.config import VIA
from service.connections import Connections
from service.current import Current
from service.doctor import _jira, _others, _work
from service.doctor._configuration import of_configuration, of_expiries
from service.doctor._reach import of_answer, of_silence, told_time
from service.doctor._redis import CHECK, not_there, of_redis, read_redis
from service.doctor._webhooks import of_deliveries
from service.engine import rulebook
from service.errors import CraftyError, NotSignedInError, RedisAway, TryLater
from service.facts import Team
from service.findings import Finding, is_well, wrong
from service.ledger import Ledger
from service.roster import team_from
from service.settings import Settings
from service.steering import steering

SECONDS: Final = 20.0
"""How long one check may take."""

_MOST: Final = 1000
"""Of how much work that was given up, and of how many deliveries, the findings tell."""


@dataclass(frozen=True)
class Check:
    """Something to ask. name: of its findings; about: what it is about where it gets no answer."""

    name: str
    about: str
    ask: Callable[[], Awaitable[Iterable[Finding]]]


async def examine(
    settings: Settings, connections: Connections, redis: Redis | None, clock: Clock
) -> tuple[Finding, ...]:
    """Every finding, in the order of a table: configuration, Redis, each system.

    redis: None where none runs. Nothing is raised for what others do: that is a finding as well.
    """
    examination = _Examination(settings, connections, redis, clock)
    return *of_configuration(settings), *await examination.all()


class _Examination:
    def __init__(self, settings: Settings, connections: Connections, redis: Redis | None, clock: Clock) -> None:
        self._settings = settings
        self._connections = connections
        self._redis = redis
        self._clock = clock
        self._team: Team = team_from(settings.config)

    async def all(self) -> list[Finding]:
        parts = (self._store(), self._jira(), self._chat(), self._forum(), self._hosts())
        found = chain.from_iterable(await asyncio.gather(*parts))
        channels = self._connections.channels
        elsewhere = _others.elsewhere(channels.services) if channels else ()
        return [*found, *elsewhere, *of_expiries(self._settings)]

    async def _store(self) -> list[Finding]:
        if self._redis is None:
            return [not_there()]
        redis = self._redis
        server = await _asked(Check(CHECK, "server", lambda: _redis_findings(redis)))
        if any(one.about == "server" and one.state == "wrong" for one in server):
            return server
        deliveries = Check("deliveries", "all", lambda: self._deliveries(redis))
        given_up = Check(_work.CHECK, "all", lambda: self._given_up(redis))
        return [*server, *await _asked(deliveries), *await _asked(given_up)]

    async def _deliveries(self, redis: Redis) -> Iterable[Finding]:
        return of_deliveries(self._settings, await Ledger(redis).last_deliveries(), self._clock())

    async def _given_up(self, redis: Redis) -> Iterable[Finding]:
        current = Current(Ledger(redis), rulebook(self._settings.config))
        failed = await steering(redis, self._clock, current, ()).jobs("failed", 0, _MOST)
        return *_work.of_given_up(failed), *_work.of_unread(await Ledger(redis).deliveries(0, _MOST))

    async def _jira(self) -> list[Finding]:
        jira, url = self._connections.jira, self._settings.jira_url
        if jira is None or url is None:
            return []
        every = (*_jira.NEEDED, _jira.SPRINTS)
        guests = {key for cell in self._team.cells for key in cell.contribution_projects}
        own = {key for cell in self._team.cells for key in cell.projects}
        wanted = {**dict.fromkeys(sorted(guests), _jira.OF_GUESTS), **dict.fromkeys(sorted(own), every)}
        checks = [
            Check("fields", "Jira", lambda: _jira.fields(jira, self._settings)),
            *(Check("permissions", key, _of(_jira.permissions, jira, key, some)) for key, some in wanted.items()),
            *(Check("boards", cell.name, _of(_jira.board, jira, cell)) for cell in self._team.cells),
            Check("people", "Jira", lambda: _jira.people(jira, self._team)),
            Check("webhooks", "Jira", lambda: _jira.webhooks(jira, self._settings)),
        ]
        return await self._system("Jira", url, lambda: _jira.sign_in(jira, self._settings), checks)

    async def _chat(self) -> list[Finding]:
        chat, url = self._connections.chat, self._settings.mattermost_url
        if chat is None or url is None:
            return []
        admins = self._settings.config.messages.admin_channel
        named = {name for name in (admins, *(cell.channel for cell in self._team.cells)) if name}
        channels = sorted(name for name in named if not name.startswith(VIA))
        members = [one for one in self._team.members if one.id not in self._settings.config.addressees]
        checks = [
            *(Check("channels", name, _of(_others.channel, chat, name)) for name in channels),
            Check("people", "Mattermost", lambda: _others.chat_people(chat, members)),
        ]
        return await self._system("Mattermost", url, lambda: _others.sign_in("Mattermost", chat), checks)

    async def _forum(self) -> list[Finding]:
        forum, url = self._connections.forum, self._settings.discourse_url
        if forum is None or url is None:
            return []
        numbers = sorted({number for cell in self._team.cells for number in cell.forum_categories})
        checks = [
            Check("places", f"category {number}", _of(_others.category, forum, number, self._clock()))
            for number in numbers
        ]
        return await self._system("Discourse", url, lambda: _others.sign_in("Discourse", forum), checks)

    async def _hosts(self) -> list[Finding]:
        """The repositories are looked for once all hosts are signed in; else one may just not have been asked."""
        github, gitlab = self._connections.github, self._connections.gitlab
        hosts: dict[str, GitHub | GitLab] = {
            **({"GitHub": github} if github else {}),
            **({"GitLab": gitlab} if gitlab else {}),
        }
        found = list(chain.from_iterable(await asyncio.gather(*(self._host(*one) for one in hosts.items()))))
        if not hosts or not is_well(found):
            return found
        cells, now = self._team.cells, self._clock()
        places = Check("places", "repositories", lambda: _others.repositories(hosts, cells, now))
        return [*found, *await _asked(places)]

    async def _host(self, name: str, host: GitHub | GitLab) -> list[Finding]:
        url = self._settings.github_url if isinstance(host, GitHub) else self._settings.gitlab_url
        end = Check("tokens", name, lambda: _others.token(name, host, self._clock()))
        return await self._system(name, url, lambda: _others.sign_in(name, host), [end])

    async def _system(
        self, name: str, url: str, sign_in: Callable[[], Awaitable[Iterable[Finding]]], checks: Sequence[Check]
    ) -> list[Finding]:
        """Whether it answers, then who we are, then all else at once; what a failed step hides is not asked."""
        found = await _asked(Check("reach", name, lambda: self._reached(name, url)))
        if is_well(found):
            found += await _asked(Check("sign-in", name, sign_in))
        if is_well(found):
            found += chain.from_iterable(await asyncio.gather(*map(_asked, checks)))
        return found

    async def _reached(self, name: str, url: str) -> Iterable[Finding]:
        try:
            told = await told_time(url)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as fault:
            return [of_silence(name, fault)]
        return of_answer(name, told, self._clock())


async def _redis_findings(redis: Redis) -> Iterable[Finding]:
    return of_redis(await read_redis(redis))


def _of(
    ask: Callable[..., Awaitable[Iterable[Finding]]], *arguments: object
) -> Callable[[], Awaitable[Iterable[Finding]]]:
    """The question about these things, to be asked later."""
    return lambda: ask(*arguments)


async def _asked(check: Check) -> list[Finding]:
    """What a check found; no answer is a finding, and so is a refusal."""
    try:
        async with asyncio.timeout(SECONDS):
            return list(await check.ask())
    except TimeoutError:
        what = f"no answer within {SECONDS:.0f} seconds"
        return [wrong(check.name, check.about, what, "Look whether it is up and well, and run this again.")]
    except CraftyError as refusal:
        return [wrong(check.name, check.about, f"{refusal}", _advice(refusal))]


def _advice(refusal: CraftyError) -> str:
    match refusal:
        case Moved():
            return "Set its URL to the address at which it answers itself."
        case NotSignedInError():
            return "Make a new token or key, and set it here."
        case RedisAway():
            return "Look whether it runs, and whether CRAFTY_REDIS_URL is right."
        case TryLater():
            return "Look whether it is up and well, and run this again."
        case _:
            return "See docs/connecting.md for the rights that are needed."
