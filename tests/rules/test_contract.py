"""What holds for every rule: one file that explains itself, stays in its row and reads no clock."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import getsource
from pathlib import Path
from types import ModuleType

import pytest
from pydantic.fields import FieldInfo

from service.contributions import Contribution
from service.facts import Ticket, Unknown
from service.rules import all_rules
from service.rules._base import Rule
from tests.builders import book, verdict_of, wall

MAY_IMPORT = {
    "pydantic",
    "msgspec",
    "service.actions",
    "service.calendar",
    "service.commands",
    "service.commitments",
    "service.contributions",
    "service.events",
    "service.facts",
    "service.rules._base",
    "service.texts",
    "service.values",
}
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter", "localtime", "gmtime"}

rules = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)


def module_of(rule: Rule) -> ModuleType:
    return import_module(rule.check.__module__)


def tree_of(rule: Rule) -> ast.Module:
    return ast.parse(getsource(module_of(rule)))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def clocks_read(tree: ast.Module) -> list[str]:
    """Calls of functions that tell the time, but for the `now` that a rule is given as a value."""
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    names = (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in called)
    return [name for name in names if name in CLOCKS]


def test_there_are_rules_and_each_is_found_once() -> None:
    names = [rule.name for rule in all_rules()]

    assert {"green-ticket", "missing-reviewer"} <= set(names)
    assert names == sorted(set(names))


@rules
def test_is_named_after_its_module(rule: Rule) -> None:
    module = module_of(rule).__name__.rpartition(".")[2]

    assert rule.name == module.replace("_", "-")


@rules
def test_begins_with_a_summary_of_one_sentence(rule: Rule) -> None:
    first, blank, *manual = (module_of(rule).__doc__ or "").splitlines()

    assert rule.summary == first
    assert re.fullmatch(r"[A-Z][^.!?]*\.", first)
    assert blank == ""
    assert " ".join(manual).strip().endswith(".")


@rules
def test_explains_every_parameter(rule: Rule) -> None:
    unexplained = [name for name, field in rule.params.model_fields.items() if not _is_explained(field)]

    assert unexplained == []


def _is_explained(field: FieldInfo) -> bool:
    return not field.is_required() and bool(re.fullmatch(r"[A-Z].*\.", field.description or ""))


@rules
def test_takes_its_defaults_when_the_configuration_is_silent(rule: Rule) -> None:
    assert book().setting(rule.name, "Serenity").params == rule.params()


@rules
def test_has_a_test_of_its_own(rule: Rule) -> None:
    module = module_of(rule).__name__.rpartition(".")[2]

    assert (Path(__file__).parent / f"test_{module}.py").is_file()


@rules
def test_imports_only_what_lies_below_it(rule: Rule) -> None:
    foreign = [name for name in imported(tree_of(rule)) if name.partition(".")[0] not in sys.stdlib_module_names]

    assert set(foreign) <= MAY_IMPORT


@rules
def test_reads_no_clock(rule: Rule) -> None:
    assert clocks_read(tree_of(rule)) == []


@pytest.mark.parametrize(
    "line", ["datetime.now(UTC)", "datetime.utcnow()", "date.today()", "time.time()", "time()", "monotonic()"]
)
def test_a_clock_would_be_noticed(line: str) -> None:
    assert clocks_read(ast.parse(line)) != []


@rules
def test_concludes_nothing_from_what_is_unknown(rule: Rule) -> None:
    about = Contribution(key="topic:1", place=7) if rule.subject is Contribution else Ticket(key="SE-1")

    with pytest.raises(Unknown):
        verdict_of(rule, about, wall("2026-11-03 09:00"))
