"""The page of all rules: what each promises, how it is tuned, what it writes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from inspect import getsource
from typing import Any, Final

from reference._markdown import code, joined, kind, table, toml, whole_page, words
from service.rules import all_rules
from service.rules._base import Rule

_ABOUT: Final = """\
Every rule takes `mode` and `settle` besides its own parameters, for all cells or for one
([configuration](configuration.md)). Set them in `crafty.toml`, on the command line, by the API or in the console. Words
in braces are filled in when a message is written; some texts are parts of a sentence. Working time leaves out weekends,
holidays and days off; a working day has 24 hours. Spans of time have their units: `"90s"`, `"2m"`, `"1h 30m"`, `"3d"`.
"""


def page() -> str:
    """The whole page."""
    rows = ((f"[{rule.name}](#{rule.name})", rule.summary) for rule in all_rules())
    return whole_page("Rules", _ABOUT, table(("rule", "what it promises"), rows), *map(_section, all_rules()))


def _section(rule: Rule) -> str:
    return joined(
        f"## {rule.name}",
        words(rule.doc),
        f"Looks at {_subjects(rule)} when: {', '.join(sorted(code(one.__name__) for one in rule.concerns))}. "
        f"A member's `@crafty snooze` {'keeps it quiet' if rule.can_snooze else 'does not concern it'}.",
        _params(rule),
        f"### What {rule.name} writes",
        _texts(rule),
    )


def _subjects(rule: Rule) -> str:
    some: Any = getattr(rule.subject, "__args__", (rule.subject,))
    return " and ".join(f"{one.__name__.lower()}s" for one in some)


def _params(rule: Rule) -> str:
    schema = rule.params.model_json_schema()
    rows = (
        (code(name), kind(value, schema.get("$defs", {})), code(toml(value["default"])), value["description"])
        for name, value in schema["properties"].items()
    )
    return table(("parameter", "takes", "default", "meaning"), rows)


def _texts(rule: Rule) -> str:
    return "".join(f"- {words(' '.join(text.split()))}\n" for text in texts_of(rule))


def texts_of(rule: Rule) -> Iterator[str]:
    """The words that a rule's messages are made of, in the order of its module.

    They are the module's constants that hold text and are not marked `Final`, as what is no text for people is.
    """
    module = import_module(rule.check.__module__)
    for node in ast.parse(getsource(module)).body:
        if isinstance(node, ast.Assign) and isinstance(name := node.targets[0], ast.Name) and name.id.isupper():
            value = getattr(module, name.id)
            some = value if isinstance(value, tuple) else (value,)
            yield from (one for one in some if isinstance(one, str))
