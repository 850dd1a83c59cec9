"""Pictures as SVG. Pure; each says the same as a table beside it, which is what screen readers get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from service.calendar import SprintWindow

_WIDTH: Final = 720
_LABEL, _BAR, _GAP = 20, 18, 12
_DAY: Final = timedelta(days=1)
_BAND_TOP, _BAND = 34, 46
_CROWDED: Final = 16
"""Deadlines that are less than this apart share their numbers' place."""
_LETTERS: Final = "MTWTFSS"


@dataclass(frozen=True)
class Bar:
    """A row of a chart. parts: how much of each series."""

    label: str
    parts: tuple[float, ...]


def bars(rows: Sequence[Bar]) -> Markup:
    """Horizontal bars below their labels, their parts beside each other; the longest is as wide as the page allows."""
    most = max((sum(row.parts) for row in rows), default=0) or 1
    height = len(rows) * (_LABEL + _BAR + _GAP)
    svg = Element("svg", {"class": "chart", "height": f"{height}", "aria-hidden": "true"})
    for number, row in enumerate(rows):
        _draw_bar(svg, row, number * (_LABEL + _BAR + _GAP), 100 / most)
    return _markup(svg)


def sprint(window: SprintWindow, now: datetime, firings: Sequence[datetime]) -> Markup:
    """A sprint from its first to its last day: days off, numbered deadlines, what falls due next, and today.

    The numbers are the positions in `window.deadlines()`, from 1 on.
    """
    svg = _svg(_WIDTH, _BAND_TOP + _BAND + 38)
    for day in _days(window):
        _draw_day(svg, window, day)
    for at in firings:
        if window.start <= at <= window.end:
            SubElement(
                svg,
                "circle",
                {"class": "firing", "cx": f"{_at(window, at):.1f}", "cy": f"{_BAND_TOP + _BAND - 8}", "r": "3.5"},
            )
    for place, numbers in _deadlines(window):
        _draw_deadline(svg, place, numbers)
    if window.start <= now <= window.end:
        x = _at(window, now)
        _line(svg, "today", x, _BAND_TOP - 16, x, _BAND_TOP + _BAND + 4)
        _text(svg, "today", min(max(x, 24), _WIDTH - 24), _BAND_TOP - 20, "today", "middle")
    return _markup(svg)


def _draw_bar(svg: Element, row: Bar, top: float, percent: float) -> None:
    _text(svg, "label", 0, top + _LABEL * 0.7, _short(row.label), "start")
    x: float = 0
    for number, part in enumerate(row.parts, 1):
        place = {"x": f"{x:.1f}%", "y": f"{top + _LABEL:g}", "width": f"{part * percent:.1f}%", "height": f"{_BAR}"}
        SubElement(svg, "rect", {"class": f"series-{number}", **place})
        x += part * percent


def _days(window: SprintWindow) -> Iterator[datetime]:
    """Every local midnight of the sprint, with its first instant."""
    at = window.calendar.local(window.start)
    while at < window.end:
        yield at
        at = (at + _DAY).replace(hour=0, minute=0, second=0, microsecond=0)


def _draw_day(svg: Element, window: SprintWindow, begins: datetime) -> None:
    ends = min((begins + _DAY).replace(hour=0, minute=0, second=0, microsecond=0), window.calendar.local(window.end))
    x, to = _at(window, begins), _at(window, ends)
    is_off = not window.calendar.is_working_day(begins.date())
    _box(svg, "day off" if is_off else "day", x, _BAND_TOP, to - x, _BAND)
    if to - x > 20:
        _text(svg, "label", (x + to) / 2, _BAND_TOP + 18, f"{_LETTERS[begins.weekday()]} {begins.day}", "middle")


def _deadlines(window: SprintWindow) -> list[tuple[float, str]]:
    """Where deadlines are, with the numbers of those that fall together."""
    places: dict[int, tuple[float, list[str]]] = {}
    for number, (_, at) in enumerate(window.deadlines(), 1):
        if window.start <= at <= window.end:
            x = _at(window, at)
            places.setdefault(round(x / _CROWDED), (x, []))[1].append(str(number))
    return [(x, ", ".join(numbers)) for x, numbers in places.values()]


def _draw_deadline(svg: Element, x: float, numbers: str) -> None:
    _line(svg, "deadline", x, _BAND_TOP, x, _BAND_TOP + _BAND + 12)
    anchor = "start" if x < 24 else "end" if x > _WIDTH - 24 else "middle"
    _text(svg, "number", x, _BAND_TOP + _BAND + 30, numbers, anchor)


def _at(window: SprintWindow, at: datetime) -> float:
    """How far to the right an instant of the sprint is."""
    share = (at - window.start) / (window.end - window.start)
    return share * (_WIDTH - 2) + 1


def _svg(width: float, height: float) -> Element:
    """Hidden from screen readers, since the table says the same."""
    return Element("svg", {"class": "chart band", "viewBox": f"0 0 {width:g} {height:g}", "aria-hidden": "true"})


def _box(svg: Element, kind: str, x: float, y: float, width: float, height: float) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{max(width, 0):.1f}", "height": f"{height:g}"}
    SubElement(svg, "rect", {"class": kind, **place})


def _line(svg: Element, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    SubElement(svg, "line", {"class": kind, **ends})


def _text(svg: Element, kind: str, x: float, y: float, words: str, anchor: str) -> None:
    element = SubElement(svg, "text", {"class": kind, "x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    element.text = words


def _short(label: str) -> str:
    return label if len(label) <= 20 else f"{label[:19]}…"


def _markup(svg: Element) -> Markup:
    return Markup(tostring(svg, encoding="unicode"))  # noqa: S704 - ElementTree escapes what it writes
