"""Writes every page that is out of date: `python -m reference`."""

from __future__ import annotations

from reference.pages import ROOT, pages


def main() -> None:
    """Says which pages it wrote."""
    for place, text in pages().items():
        path = ROOT / place
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {place}")


if __name__ == "__main__":
    main()
