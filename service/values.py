"""Kinds of values in configurations: spans of time, zones, holidays, names."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated, Final, Self
from zoneinfo import available_timezones

from holidays import country_holidays, list_supported_countries
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    WithJsonSchema,
)

from service.toml_problems import did_you_mean

_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION: Final = r"^(?=.*[0-9])(?:0|(?:[0-9]{1,8}d)? ?(?:[0-9]{1,8}h)? ?(?:[0-9]{1,8}m)? ?(?:[0-9]{1,8}s)?)$"
_DURATION_HELP: Final = 'Write the time with its units, largest first, such as "90s", "2m", "1h 30m" or "3d"'
_LONGEST: Final = timedelta(days=365)


def parse_duration(value: object) -> timedelta:
    """The time span that a text such as "1h 30m" names, in days of 24 hours, hours, minutes and seconds.

    The number 0 is accepted as well, and a timedelta stays what it is. ValueError for anything else, for a negative
    span and for one over 365 days.
    """
    span = value if isinstance(value, timedelta) else _span_of(value)
    if not timedelta() <= span <= _LONGEST:
        raise ValueError(f"A time between 0 and {_LONGEST.days} days is needed here.")
    return span


def _span_of(value: object) -> timedelta:
    text = "0" if value == 0 and type(value) is int else value
    if not isinstance(text, str) or not re.fullmatch(_DURATION, text.strip()):
        raise ValueError(f"{_DURATION_HELP}.")
    return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"([0-9]+)([dhms])", text)))


def format_duration(span: timedelta) -> str:
    """The text that `parse_duration` reads as that span of whole seconds; days only where they are three or more."""
    left = int(span.total_seconds())
    units = _UNITS if left >= 3 * _UNITS["d"] else {unit: size for unit, size in _UNITS.items() if unit != "d"}
    parts = []
    for unit, size in units.items():
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return " ".join(parts) or "0s"


def _duration_schema(comment: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "pattern": _DURATION, "examples": ["90s", "2m", "24h", "1h 30m", "3d"], "$comment": comment}
    )


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    _duration_schema("Elapsed time by the clock."),
]
"""Elapsed time, written as "90s", "2m", "24h", "1h 30m" or "3d"; see `parse_duration`."""

WorkingTime = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    _duration_schema("Working time: weekends, holidays and days off do not count, a working day has 24 hours."),
]
"""Working time, written as a Duration is; a working day counts all its hours, so "24h" is a working day."""


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _zones_by_city() -> Mapping[str, str]:
    return {zone.rpartition("/")[2].replace("_", " "): zone for zone in sorted(_zones())}


def _zone(name: str) -> str:
    if name not in _zones():
        guess = _zones_by_city().get(name, name)
        raise ValueError(f'"{name}" is not an IANA time zone{did_you_mean(guess, _zones())}')
    return name


Zone = Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Paris"]})]
"""The IANA name of a time zone."""


@cache
def _regions() -> Mapping[str, Sequence[str]]:
    return list_supported_countries()


def _holiday(value: object) -> date | str:
    """A single day, or the ISO 3166 code of a country or region whose public holidays are known."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError('A holiday is a code in quotes, such as "FR" or "DE-BY", or a day, such as 2026-12-31.')  # noqa: TRY004 - pydantic reports only a ValueError
    country, _, region = value.partition("-")
    if country not in _regions():
        raise ValueError(f'No holidays are known for "{value}"{did_you_mean(value.upper(), _regions())}')
    if "-" in value and region not in _regions()[country]:
        known = [f"{country}-{name}" for name in _regions()[country]]
        raise ValueError(f'No holidays are known for the region "{value}"{did_you_mean(value, known)}')
    return value


Holiday = Annotated[
    date | str,
    BeforeValidator(_holiday),
    WithJsonSchema({"type": "string", "examples": ["FR", "DE-BY", "2026-12-31"]}),
]


@cache
def _public_holidays(code: str) -> Container[date]:
    """Shared by everybody with that code; the holidays library works out each year when it is first asked about."""
    country, _, region = code.partition("-")
    return country_holidays(country, subdiv=region or None)


@dataclass(frozen=True)
class Holidays:
    """Days off of any year, for `day in holidays`. days: single ones; codes: ISO 3166 countries and regions."""

    days: frozenset[date] = frozenset()
    codes: tuple[str, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[date | str]) -> Self:
        """From entries as the configuration has them."""
        listed = tuple(entries)
        return cls(
            frozenset(entry for entry in listed if isinstance(entry, date)),
            tuple(entry for entry in listed if isinstance(entry, str)),
        )

    def __contains__(self, day: object) -> bool:
        return day in self.days or any(day in _public_holidays(code) for code in self.codes)
