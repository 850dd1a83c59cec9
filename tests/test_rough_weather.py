"""The story in rough weather: a tenth of all calls fails, and everything still happens once."""

import pytest

from service.demo._faults import LASTING, rough
from service.demo.story import tell
from service.demo.story.expected import EXPECTED

SEED = 3


async def test_where_a_tenth_of_all_calls_fails_nothing_is_lost_and_nothing_happens_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    weather = rough(0.1, SEED)

    missed = await tell(once=True, weather=weather)

    shown = capsys.readouterr().out
    assert missed == 0, shown
    assert f"{len(EXPECTED)} checks, 0 missed" in shown
    for vendor, one in weather.items():
        assert one.struck.total() > one.calls / 20, vendor
        assert one.struck.keys() >= {fault.name for fault in LASTING}, vendor
