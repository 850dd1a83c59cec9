"""Deliveries that are almost right: single places of a payload dropped, doubled, retyped, swapped or grown."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import msgspec

from fuzz.seeds import Sent

Container = dict[str, Any] | list[Any]

_NUMBERS = (
    0,
    -1,
    1,
    2**31,
    -(2**31) - 1,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    0.5,
    -0.0,
    1e308,
    5e-324,
    253402300800000,
)
_TOKENS = (
    b"NaN",
    b"1e999",
    b"-",
    b"9" * 400,
    b"-" + b"9" * 30,
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\x00"',
    b"\xef\xbb\xbf1",
    b"{",
    b"]",
    b"",
)
_TEXTS = (
    "",
    " ",
    "\x00",
    "\u202e\u2066abc\u200b",
    "\ufdd0\uffff\U0010ffff",
    "İıſK",
    "e\u0301" * 40,
    "👩‍👩‍👧‍👦",
    "../../etc/passwd",
    "crafty:version",
    "SE-1",
    "se-0",
    "SE-999999999999",
    "acc-bot",
    "ACC-ANN",
    "@crafty snooze 999 weeks",
    "[~crafty] plan 999h 999m for review",
    "@crafty <spillover>" + "a " * 99,
    "{quote}{code:a}[quote]``` `",
    "@all [x](http://evil.example) <b> &#91; h1. | *",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-14:00",
    "2026-11-03T24:00:00Z",
    "2026-11-03T09:00:00",
    "2026-W45-2T09Z",
    "2026-11-03 09:00:00 UTC",
    "-9223372036854775808",
    "٣٤",
    "1" * 5_000,
    "76, 79, 999999999999999999999",
    "[id=1,id=2,name=a,name=,state=ACTIVE,startDate=0001-01-01T00:00:00+14:00]",
)
_NAMES = ("accountId", "key", "name", "id", "content", "type", "text", "fields", "__class__", "", "\x00")
_NESTS = ((b"[", b"]"), (b'{"content":[', b"]}"), (b'{"type":"blockquote","content":[', b"]}"), (b'{"a":', b"}"))
_SIZES = (2, 2, 2, 10, 10, 50, 50, 300, 5_000)
_LONGEST_PART = 50


class Mutator:
    """Makes new deliveries from old ones, the same for the same seed.

    names: keys that the parsers read; spare: values to put anywhere; heads: headers that deliveries come with.
    """

    def __init__(self, sent: Sequence[Sent]) -> None:
        trees = [msgspec.json.decode(one.body) for one in sent]
        self.random = Random()
        self.names = sorted({name for tree in trees for name in _names_in(tree)} | {*_NAMES})
        self.spare = [value for tree in trees for value in _values_in(tree)]
        self.heads = [one.headers for one in sent]
        retypes = (self._retype,) * 3
        self._changes = (*retypes, self._drop, self._double, self._name, self._swap, self._wrap, self._grow)

    def mutated(self, data: bytes, most: int, seed: int) -> bytes:
        """Another delivery, of `most` bytes at most; any bytes can be its start."""
        self.random.seed(seed)
        sent = Sent.unpacked(data)
        headers = self._headers(sent.headers) if self._by_chance(0.05) else sent.headers
        return Sent(headers, self._body(sent.body)).packed()[:most]

    def _body(self, body: bytes) -> bytes:
        try:
            tree = msgspec.json.decode(body)
            for _ in range(self.random.choice((1, 1, 1, 2, 2, 4))):
                self._change(tree)
            changed = msgspec.json.encode(tree)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
            return self._scrambled(body)
        return self._scrambled(changed) if self._by_chance(0.02) else changed

    def _change(self, tree: Any) -> None:
        place = self._place(tree)
        if place:
            self.random.choice(self._changes)(tree, *place)

    def _place(self, tree: Any) -> tuple[Container, Any] | None:
        """Somewhere in it: what holds the place, and its key or position there."""
        place = None
        while isinstance(tree, dict | list) and tree and (place is None or self._by_chance(0.8)):
            key = self.random.choice(list(tree)) if isinstance(tree, dict) else self.random.randrange(len(tree))
            place, tree = (tree, key), tree[key]
        return place

    def _retype(self, _: Any, held: Container, key: Any) -> None:
        held[key] = self._value()

    def _drop(self, _: Any, held: Container, key: Any) -> None:
        del held[key]

    def _double(self, _: Any, held: Container, key: Any) -> None:
        """An element twice, or a key twice, which only the bytes can say."""
        if isinstance(held, list):
            held.insert(key, held[key])
        else:
            first, second = msgspec.json.encode(held[key]), msgspec.json.encode(self._value())
            held[key] = msgspec.Raw(first + b"," + msgspec.json.encode(key) + b":" + second)

    def _name(self, _: Any, held: Container, key: Any) -> None:
        """A key that the parsers read, where it does not belong."""
        if isinstance(held, dict):
            held[self.random.choice(self.names)] = held[key] if self._by_chance(0.3) else self._value()

    def _swap(self, tree: Any, held: Container, key: Any) -> None:
        other = self._place(tree)
        if other:
            here, there = msgspec.json.encode(held[key]), msgspec.json.encode(other[0][other[1]])
            held[key], other[0][other[1]] = msgspec.Raw(there), msgspec.Raw(here)

    def _wrap(self, _: Any, held: Container, key: Any) -> None:
        inner = held[key]
        held[key] = self.random.choice(([inner], [inner, inner], {self.random.choice(self.names): inner}))

    def _grow(self, _: Any, held: Container, key: Any) -> None:
        inner, size = held[key], self.random.choice(_SIZES)
        if isinstance(inner, str):
            held[key] = (inner + self.random.choice(_TEXTS))[:_LONGEST_PART] * size
        elif isinstance(inner, int | float):
            held[key] = self.random.choice((-inner, inner + 1, inner * 2.5, str(inner), inner * 1000))
        else:
            opening, closing = self.random.choice(_NESTS)
            held[key] = msgspec.Raw(opening * size + msgspec.json.encode(inner) + closing * size)

    def _value(self) -> Any:
        """Anything that JSON can say, and some things that it can't."""
        choose = self.random.choice
        kind = self.random.randrange(7)
        if kind < 2:
            return choose(self.spare)
        if kind < 4:
            return choose(_TEXTS)
        if kind == 4:
            return choose(_NUMBERS)
        return choose((None, True, False, [], {}, [None], {"": None})) if kind == 5 else msgspec.Raw(choose(_TOKENS))

    def _headers(self, headers: dict[str, str]) -> dict[str, str]:
        if not headers or self._by_chance(0.5):
            return self.random.choice(self.heads)
        name, text = self.random.choice(list(headers)), self.random.choice((*_TEXTS, "x" * 5_000))
        return {**headers, name: text.replace("\n", " ").encode("utf-8", "replace").decode("latin-1")}

    def _scrambled(self, data: bytes) -> bytes:
        """The bytes with a few of them cut, doubled or changed."""
        start = self.random.randrange(len(data) + 1)
        end = min(len(data), start + self.random.choice((1, 1, 4, 64)))
        middle = self.random.choice((b"", data[start:end] * 2, self.random.randbytes(end - start), b'"', b"}", b","))
        return data[:start] + middle + data[end:]

    def _by_chance(self, share: float) -> bool:
        return self.random.random() < share


def _names_in(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        yield from tree
    for inner in _inner(tree):
        yield from _names_in(inner)


def _values_in(tree: Any) -> Iterator[Any]:
    yield tree
    for inner in _inner(tree):
        yield from _values_in(inner)


def _inner(tree: Any) -> Sequence[Any]:
    return [*tree.values()] if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
