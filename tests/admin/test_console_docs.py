"""The pictures of the console are there, small, and shown where it is described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SHOWN = re.findall(r"!\[\]\((images/[a-z-]+\.png)\)", (DOCS / "console.md").read_text())


def test_every_picture_is_shown_and_every_page_wide_and_narrow() -> None:
    assert sorted(SHOWN) == sorted(f"images/{picture.name}" for picture in (DOCS / "images").glob("*.png"))
    wide, narrow = (
        {name.rpartition("-")[0] for name in SHOWN if name.endswith(f"{one}.png")} for one in ("wide", "narrow")
    )
    assert wide == narrow


@pytest.mark.parametrize("picture", SHOWN)
def test_a_picture_is_small(picture: str) -> None:
    assert 1_000 < (DOCS / picture).stat().st_size < 150_000
