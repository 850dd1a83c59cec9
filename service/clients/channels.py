"""Slack, Microsoft Teams, e-mail and the like, by way of apprise (the extra `channels`): messages only go out there."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat
from apprise.result import AppriseResult

from service.errors import CannotAct, RedisAway, TryLater
from service.facts import Person
from service.limits import CHANNEL, Gate, Lane
from service.log import scrubber
from service.texts import Message, to_words

SECONDS: Final = 20.0
"""How long a message may take to go out."""

_ALL: Final = Lane("apprise")
_QUOTED_LENGTH: Final = 300
_PARTS: Final = re.compile(r"[/?&=:@#,]+")
_ASSET: Final = AppriseAsset(
    app_id="Crafty",
    image_url_logo="",
    image_url_mask="",
    http_redirects=False,
    storage_mode="memory",
    service_timeout=SECONDS,
)


@lru_cache
def opened(address: str) -> NotifyBase:
    """The service at an address of apprise's; ValueError, which does not show it, where no message may go there."""
    _quieten()
    service = Apprise.instantiate(address, asset=_ASSET)
    if service is None:
        raise ValueError("is no address that apprise can use; its documentation has the form for each service")
    if not service.verify_certificate:
        raise ValueError("should have its certificate checked; take verify=no out of it")
    if len(service) > 1:
        raise ValueError("leads to several places; give each a name and an address of its own")
    return service


def hidden_parts(address: str) -> set[str]:
    """The tokens and passwords in an address: what apprise leaves out where it shows one."""
    service = opened(address)
    return _parts(service, as_shown=False) - _parts(service, as_shown=True)


def _parts(service: NotifyBase, *, as_shown: bool) -> set[str]:
    address: str = service.url(privacy=as_shown)  # type: ignore[no-untyped-call] # apprise's own
    return set(map(unquote, _PARTS.split(address)))


class Channels:
    """Where messages go in Mattermost's place.

    addresses: apprise's, by name; people: the name of what takes somebody's messages, by their id; gate: where all
    processes keep to the pace of each.
    """

    def __init__(self, addresses: Mapping[str, str], people: Mapping[str, str], gate: Gate) -> None:
        self._addresses = addresses
        self._people = people
        self._gate = gate

    @property
    def services(self) -> dict[str, str]:
        """What each is, by name: Slack, E-Mail."""
        return {name: str(opened(address).service_name) for name, address in self._addresses.items()}

    def of(self, person: Person) -> str | None:
        """The name of what takes this person's messages; None for Mattermost."""
        return self._people.get(person.id)

    async def send(self, name: str, message: Message, zone: str | None = None) -> None:
        """Sends one message. zone: the reader's IANA time zone.

        TryLater where it was not taken, whatever the reason: apprise does not tell what will pass from what will not.
        CannotAct for an unknown name, RedisAway where the gate can't be asked. Nothing can be read back, so a message
        that was taken without a clear answer goes out once more when this is tried again.
        """
        if name not in self._addresses:
            raise CannotAct(f"CRAFTY_CHANNELS names no “{name}”; add it there, or correct crafty.toml.")
        wait = await self._gate.enter([_ALL, Lane(f"channel {name}", (CHANNEL,))])
        if wait:
            raise TryLater(f"{name} is sent one message a second; Crafty waits.", wait)
        result = await _sent(self._addresses[name], to_words(message, zone))
        with suppress(RedisAway):
            await self._gate.answered(_ALL, 200 if result else None)
        if not result:
            raise TryLater(f"{name} did not take the message: {_reason(self._addresses[name], result)}")


async def _sent(address: str, words: str) -> AppriseResult:
    outlet = Apprise(asset=_ASSET)
    outlet.add(opened(address))
    text, warnings = NotifyFormat.TEXT, logging.WARNING
    return await outlet.async_notify(body=words, title="Crafty", body_format=text, log_level=warnings)


def _reason(address: str, result: AppriseResult) -> str:
    """What apprise logged last, without secrets; where it said nothing, such as timeout, its one word for it."""
    said = [str(entry.message) for entry in result.logs()]
    shown = scrubber([address, *hidden_parts(address)], "…")
    return " ".join(shown(said[-1]).split())[:_QUOTED_LENGTH] if said else f"{result.status.name.lower()}."


def _quieten() -> None:
    """apprise and urllib3 log addresses with the tokens in them; what goes wrong is told by an error."""
    for name in ("apprise", "urllib3"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]
