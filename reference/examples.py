"""Files shown on a page: a code block after a mark such as `<!-- file: docs/examples/missing_steps.py -->`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_SHOWN: Final = re.compile(r"<!-- file: (?P<file>\S+) -->\n```python\n.*?^```\n", re.DOTALL | re.MULTILINE)


def with_files(page: Path, root: Path) -> str:
    """The page, with each file that it shows as it is by now. Files are named from the repository's root."""
    return _SHOWN.sub(lambda shown: _block(root, shown["file"]), page.read_text())


def _block(root: Path, file: str) -> str:
    return f"<!-- file: {file} -->\n```python\n{(root / file).read_text()}```\n"
