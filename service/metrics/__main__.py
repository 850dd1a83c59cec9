"""Brings the reference in a document up to date: `python -m service.metrics docs/metrics.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from service.metrics._reference import referenced


def main() -> None:
    """Writes the document that is named anew."""
    page = Path(sys.argv[1])
    page.write_text(referenced(page.read_text()))


if __name__ == "__main__":
    main()
