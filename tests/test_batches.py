"""Group commit: who waits gets their own answer, whatever happens to the others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from service.batches import MOST_BYTES, MOST_ITEMS, Batches, Item


@dataclass
class Store:
    """Answers each item with its first part, in its own time."""

    batches: list[list[Item]] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    fault: Exception | None = None

    async def send(self, items: Sequence[Item]) -> list[bytes]:
        self.batches.append(list(items))
        await self.may_answer.wait()
        if self.fault:
            raise self.fault
        return [item[0] for item in items]


def numbered(count: int) -> list[Item]:
    return [(b"%d" % number,) for number in range(count)]


async def sent(store: Store, items: Sequence[Item]) -> tuple[Batches[bytes], list[asyncio.Task[bytes]]]:
    """These items on their way: the first alone, because nobody waits for others to come."""
    batches = Batches(store.send)
    tasks = []
    for item in items:
        tasks.append(asyncio.create_task(batches.add(item)))
        await asyncio.sleep(0)  # it is handed in
        await asyncio.sleep(0)  # and goes out, where nothing is under way
    return batches, tasks


async def test_what_comes_while_a_batch_is_under_way_goes_out_together_and_each_gets_its_own_answer() -> None:
    store = Store()
    _, tasks = await sent(store, numbered(5))
    store.may_answer.set()
    assert await asyncio.gather(*tasks) == [b"0", b"1", b"2", b"3", b"4"]
    assert list(map(len, store.batches)) == [1, 4]


@pytest.mark.parametrize(
    ("items", "sizes"),
    [
        pytest.param(numbered(MOST_ITEMS + 1), [1, MOST_ITEMS], id="as many as fit"),
        pytest.param(numbered(MOST_ITEMS + 2), [1, MOST_ITEMS, 1], id="one more"),
        pytest.param([(b"0",), (b"a" * MOST_BYTES,), (b"b",)], [1, 1, 1], id="as large as a batch"),
        pytest.param([(b"0",), (b"a", b"a" * MOST_BYTES), (b"b",)], [1, 1, 1], id="larger than a batch"),
        pytest.param([(b"0",), (b"a",), (b"b" * MOST_BYTES,), (b"c",)], [1, 1, 1, 1], id="too large beside others"),
    ],
)
async def test_a_batch_is_limited_in_number_and_size_and_keeps_the_order(items: list[Item], sizes: list[int]) -> None:
    store = Store()
    _, tasks = await sent(store, items)
    store.may_answer.set()
    assert await asyncio.gather(*tasks) == [item[0] for item in items]
    assert list(map(len, store.batches)) == sizes
    assert [item for batch in store.batches for item in batch] == items


async def test_a_batch_that_fails_fails_for_each_of_its_items_and_for_no_other() -> None:
    store = Store(fault=ConnectionError("away"))
    batches, tasks = await sent(store, numbered(3))
    store.may_answer.set()
    assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [ConnectionError] * 3
    store.fault = None
    assert await batches.add((b"later",)) == b"later"


async def test_whoever_gives_up_takes_back_what_has_not_gone_out_and_disturbs_nobody() -> None:
    store = Store()
    _, (under_way, given_up, other) = await sent(store, numbered(3))
    under_way.cancel()
    given_up.cancel()
    store.may_answer.set()
    assert await other == b"2"
    assert store.batches == [[(b"0",)], [(b"2",)]]


async def test_nothing_is_sent_where_everybody_has_given_up() -> None:
    store = Store()
    batches, (_, given_up) = await sent(store, numbered(2))
    given_up.cancel()
    store.may_answer.set()
    assert await batches.add((b"later",)) == b"later"
    assert store.batches == [[(b"0",)], [(b"later",)]]
