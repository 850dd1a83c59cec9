"""Every module here without a leading underscore is one rule; putting a file here is all it takes to add one."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from service.rules._base import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by name in alphabetical order."""
    names = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    return tuple(import_module(f"{__name__}.{name}").RULE for name in names)
