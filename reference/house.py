"""The page of all modules: which row each stands in, and what it is for, by its own first line."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Final

from reference._markdown import code, table, whole_page

_ABOUT: Final = """\
A module imports only from rows below its own; modules of one row do not know each other. `make lint` holds that
([why](../decisions/0001-one-direction.md)). The way of an event through these rooms:
[architecture](../architecture.md).
"""


def page(root: Path) -> str:
    """The whole page, of the repository at that root."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    (rows,) = (one["layers"] for one in project["tool"]["importlinter"]["contracts"] if one["id"] == "rows")
    lines = (
        (str(number), code(name), _first_line(root / "service", name))
        for number, row in zip(range(len(rows), 0, -1), rows, strict=True)
        for name in row.split(" | ")
    )
    return whole_page("The house", _ABOUT, table(("row", "module of `service/`", "what it is for"), lines))


def _first_line(service: Path, name: str) -> str:
    package = service / name / "__init__.py"
    module = package if package.exists() else service / f"{name}.py"
    return (ast.get_docstring(ast.parse(module.read_text())) or "").partition("\n")[0]
