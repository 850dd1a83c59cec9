"""What Crafty can see and do in the chat, the forum and at the code hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from service.clients.discourse import Discourse
from service.clients.mattermost import Mattermost
from service.doctor._jira import of_people
from service.errors import CannotAct, NotFound
from service.facts import Cell, Person
from service.findings import Finding, doubtful, fine, unchecked, wrong
from service.gather import ContributionReader

_SOON: Final = timedelta(days=7)
_IN_SIGHT: Final = timedelta(days=30)


class Known(Protocol):
    """A system that knows us."""

    async def identify(self) -> Person: ...


class Expiring(Protocol):
    """A code host whose token may have an end."""

    async def token_ends(self) -> datetime | None: ...


async def sign_in(system: str, client: Known) -> Iterable[Finding]:
    """Who we are in a system; raises what its client raises."""
    return [fine("sign-in", system, f"signed in as {(await client.identify()).name}")]


async def channel(chat: Mattermost, name: str) -> Iterable[Finding]:
    """Whether the bot may write in a channel."""
    try:
        is_in = await chat.is_in(name)
    except (NotFound, CannotAct) as refusal:
        mend = "Correct channel in crafty.toml, or add the bot to the team and the channel."
        return [wrong("channels", name, f"the bot sees no channel {name}: {refusal}", mend)]
    if not is_in:
        return [wrong("channels", name, f"the bot is not in {name}", "Add the bot to the channel in Mattermost.")]
    return [fine("channels", name, "the bot is in it")]


def elsewhere(services: Mapping[str, str]) -> Iterator[Finding]:
    """What CRAFTY_CHANNELS names; nothing is sent to find out more. services: what each is, by name."""
    for name, service in services.items():
        what = f"apprise can read the address ({service}); nothing was sent, so whether it takes messages is not known"
        yield unchecked("channels", name, what, "Look for Crafty's next message there.")


async def chat_people(chat: Mattermost, members: Sequence[Person]) -> Iterable[Finding]:
    """Whether the chat account of each of them is there and open."""
    named = [person for person in members if person.mattermost]
    found = await asyncio.gather(*(_fault(chat, person.mattermost or "") for person in named))
    faults = {person.name: fault for person, fault in zip(named, found, strict=True) if fault}
    return of_people("Mattermost", faults, {person.name for person in members if not person.mattermost})


async def _fault(chat: Mattermost, username: str) -> str:
    try:
        await chat.find_user(username)
    except NotFound:
        return "is not there, or inactive"
    return ""


async def category(forum: Discourse, number: int, now: datetime) -> Iterable[Finding]:
    """Whether the forum shows us a category."""
    try:
        await forum.recent(number, now)
    except (NotFound, CannotAct) as refusal:
        mend = "Correct forum_categories in crafty.toml, or let the forum's user see it."
        return [wrong("places", f"category {number}", f"it can't be read: {refusal}", mend)]
    return [fine("places", f"category {number}", "it can be read")]


async def repositories(
    hosts: Mapping[str, ContributionReader], cells: Iterable[Cell], now: datetime
) -> Iterable[Finding]:
    """Whether each repository is at one of the hosts; its name does not say at which."""
    names = sorted({name for cell in cells for name in cell.repositories})
    return [await _repository(hosts, name, now) for name in names]


async def _repository(hosts: Mapping[str, ContributionReader], name: str, now: datetime) -> Finding:
    for host, reader in hosts.items():
        try:
            await reader.recent(name, now)
        except (NotFound, CannotAct):
            continue
        return fine("places", name, f"{host} shows it")
    mend = "Correct repositories in crafty.toml, or let the token's account see it."
    return wrong("places", name, f"it can't be read at {' or '.join(hosts)}", mend)


async def token(system: str, host: Expiring, now: datetime) -> Iterable[Finding]:
    """Until when the token works."""
    return of_expiry(system, await host.token_ends(), now)


def of_expiry(system: str, ends: datetime | None, now: datetime) -> Iterator[Finding]:
    """A week before its end it is time to act."""
    mend = f"Make a new token in {system}, and set CRAFTY_{system.upper()}_TOKEN to it."
    if ends is None:
        yield fine("tokens", system, "its token has no end that is told")
    elif ends - now < _SOON:
        yield wrong("tokens", system, f"its token ends on {ends:%Y-%m-%d}", mend)
    elif ends - now < _IN_SIGHT:
        yield doubtful("tokens", system, f"its token ends on {ends:%Y-%m-%d}", mend)
    else:
        yield fine("tokens", system, f"its token works until {ends:%Y-%m-%d}")
