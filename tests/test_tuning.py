"""What admins change about rules: which setting wins, what can't be set, and that each change can be taken back."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine import Rulebook
from service.rules._base import Rule
from service.tuning import CannotTuneError, Mistake, Tuning, Tunings, changed, shown, tuned
from tests.builders import book

RULE = "missing-reviewer"
OTHER = "green-ticket"
CELL = "Serenity"
IN_FILE = '\n[rules.missing-reviewer]\nmode = "dry-run"\nsettle = "3m"\ngrace = "10h"\n'
IN_FILE_OF_CELL = '\n[rules.missing-reviewer.cells.Serenity]\nmode = "off"\nsettle = "4m"\ngrace = "11h"\n'


def rule_of(name: str = RULE) -> Rule:
    found = book().rule(name)
    assert found is not None
    return found


def setting(rulebook: Rulebook, cell: str = CELL) -> tuple[str, str, str]:
    """Mode, settle time and one parameter of the rule in a cell."""
    values = shown(rulebook.setting(RULE, cell))
    return values["mode"], values["settle"], values["params"]["grace"]


def everything(rulebook: Rulebook) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        rule: {cell: shown(rulebook.setting(rule, cell)) for cell in ("", CELL, "Falcon")} for rule in rulebook.settings
    }


FOR_ALL = {"": Tuning(mode="on", settle="5m", params={"grace": "12h"})}
FOR_CELL = {CELL: Tuning(mode="off", settle="6m", params={"grace": "13h"})}


@pytest.mark.parametrize(
    ("in_file", "changes", "in_cell", "elsewhere"),
    [
        pytest.param("", {}, ("on", "2m", "24h"), ("on", "2m", "24h"), id="nothing but defaults"),
        pytest.param(IN_FILE, {}, ("dry-run", "3m", "10h"), ("dry-run", "3m", "10h"), id="the file for all"),
        pytest.param(
            IN_FILE + IN_FILE_OF_CELL, {}, ("off", "4m", "11h"), ("dry-run", "3m", "10h"), id="the file's cell over it"
        ),
        pytest.param(
            IN_FILE + IN_FILE_OF_CELL,
            FOR_ALL,
            ("on", "5m", "12h"),
            ("on", "5m", "12h"),
            id="a change for all over both",
        ),
        pytest.param(
            IN_FILE + IN_FILE_OF_CELL,
            {**FOR_ALL, **FOR_CELL},
            ("off", "6m", "13h"),
            ("on", "5m", "12h"),
            id="a change for the cell over all of it",
        ),
        pytest.param(
            IN_FILE, FOR_CELL, ("off", "6m", "13h"), ("dry-run", "3m", "10h"), id="a change for the cell alone"
        ),
        pytest.param(
            IN_FILE + IN_FILE_OF_CELL,
            {"": Tuning(mode="on"), CELL: Tuning(settle="6m")},
            ("on", "6m", "11h"),
            ("on", "3m", "10h"),
            id="each key on its own",
        ),
    ],
)
def test_the_latest_and_closest_word_counts(
    in_file: str,
    changes: Mapping[str, Tuning],
    in_cell: tuple[str, str, str],
    elsewhere: tuple[str, str, str],
) -> None:
    found = tuned(book(in_file), {RULE: changes})
    assert (setting(found), setting(found, "Falcon"), setting(found, "")) == (in_cell, elsewhere, elsewhere)


def test_other_rules_stay_as_they_are() -> None:
    configured = book()
    found = tuned(configured, {RULE: FOR_ALL})
    assert shown(found.setting(OTHER, CELL)) == shown(configured.setting(OTHER, CELL))


# Wishes

BEFORE = Tuning(mode="off", settle="5m", params={"grace": "12h", "assign_firefighter": True})
TIME = 'write the time with its units, largest first, such as "90s", "2m", "1h 30m" or "3d"'


@pytest.mark.parametrize(
    ("wish", "after"),
    [
        pytest.param({}, BEFORE, id="nothing"),
        pytest.param({"mode": "on"}, msgspec.structs.replace(BEFORE, mode="on"), id="a mode"),
        pytest.param({"mode": None}, msgspec.structs.replace(BEFORE, mode=None), id="the mode taken back"),
        pytest.param({"settle": None}, msgspec.structs.replace(BEFORE, settle=None), id="the settle time taken back"),
        pytest.param({"settle": "90s"}, msgspec.structs.replace(BEFORE, settle="1m 30s"), id="a settle time"),
        pytest.param({"settle": 0}, msgspec.structs.replace(BEFORE, settle="0s"), id="no settle time"),
        pytest.param(
            {"params": {"grace": None}},
            msgspec.structs.replace(BEFORE, params={"assign_firefighter": True}),
            id="a parameter taken back",
        ),
        pytest.param(
            {"params": {"patience": "2h"}},
            msgspec.structs.replace(BEFORE, params={**BEFORE.params, "patience": "2h"}),
            id="a parameter beside the others",
        ),
        pytest.param({"params": None}, BEFORE, id="no parameters"),
        pytest.param(
            {"mode": None, "settle": None, "params": {"grace": None, "assign_firefighter": None}},
            Tuning(),
            id="all of it taken back",
        ),
    ],
)
def test_a_wish_changes_what_it_names(wish: Mapping[str, Any], after: Tuning) -> None:
    assert changed(BEFORE, wish, rule_of()) == after


@pytest.mark.parametrize(
    ("rule", "wish", "mistakes"),
    [
        pytest.param(
            RULE, {"mode": "sometimes"}, ["mode: should be 'on', 'dry-run' or 'off'"], id="a mode there is not"
        ),
        pytest.param(RULE, {"mode": True}, ["mode: should be 'on', 'dry-run' or 'off'"], id="a mode of another type"),
        pytest.param(RULE, {"mode": ""}, ["mode: should be 'on', 'dry-run' or 'off'"], id="no mode at all"),
        pytest.param(RULE, {"settle": "soon"}, ["settle: " + TIME], id="a settle time that is none"),
        pytest.param(RULE, {"settle": ""}, ["settle: " + TIME], id="no settle time at all"),
        pytest.param(RULE, {"settle": 7}, ["settle: " + TIME], id="a settle time without its unit"),
        pytest.param(RULE, {"settle": "366d"}, ["settle: a time"], id="a settle time out of range"),
        pytest.param(
            RULE,
            {"params": {"graze": "1h"}},
            ["params.graze: is not a parameter of missing-reviewer; did you mean grace?"],
            id="a parameter the rule does not have",
        ),
        pytest.param(RULE, {"params": {"grace": "-1h"}}, ["params.grace: " + TIME], id="a parameter that is no time"),
        pytest.param(
            RULE, {"params": {"assign_firefighter": "yes"}}, ["params.assign_firefighter: "], id="a wrong type"
        ),
        pytest.param("community-ack", {"params": {"due_days": 366}}, ["params.due_days: "], id="out of range"),
        pytest.param("community-ack", {"params": {"labels": ["a", 1]}}, ["params.labels.1: "], id="wrong in a list"),
        pytest.param(
            RULE,
            {"mode": "x", "settle": "x", "params": {"grace": "x", "x": 1}},
            ["mode: ", "settle: ", "params.x: ", "params.grace: "],
            id="several at once",
        ),
    ],
)
def test_what_cannot_be_set_is_named(rule: str, wish: Mapping[str, Any], mistakes: list[str]) -> None:
    with pytest.raises(CannotTuneError) as caught:
        changed(Tuning(), wish, rule_of(rule))
    found = [f"{one.key}: {one.what}" for one in caught.value.mistakes]
    assert len(found) == len(mistakes)
    assert all(one.lower().startswith(start.lower()) for one, start in zip(found, mistakes, strict=True)), found
    assert str(caught.value) == "; ".join(found)


def test_a_mistake_of_an_earlier_version_hinders_no_other_change() -> None:
    before = Tuning(mode="sometimes", params={"forgotten": 1})
    after = changed(before, {"params": {"grace": "1h"}}, rule_of())
    assert after == Tuning(mode="sometimes", params={"forgotten": 1, "grace": "1h"})


# What another version stored


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        pytest.param({"mode": "sometimes", "settle": "7m"}, ("on", "7m", "24h"), id="a mode"),
        pytest.param({"mode": "off", "settle": "soon"}, ("off", "2m", "24h"), id="a settle time"),
        pytest.param({"mode": "off", "params": {"gone": 1, "grace": "1h"}}, ("off", "2m", "1h"), id="a parameter"),
        pytest.param({"mode": "off", "params": {"grace": [1]}}, ("off", "2m", "24h"), id="a value"),
        pytest.param({"mode": "off", "colour": "red"}, ("off", "2m", "24h"), id="a key"),
    ],
)
def test_what_is_not_known_any_more_is_left_out_and_the_rest_holds(
    stored: Mapping[str, Any], found: tuple[str, str, str]
) -> None:
    tuning = msgspec.json.decode(msgspec.json.encode(stored), type=Tuning)
    assert setting(tuned(book(), {RULE: {"": tuning}})) == found


def test_a_rule_or_cell_that_is_gone_is_left_out() -> None:
    tunings: Tunings = {"gone": {"": Tuning(mode="off")}, RULE: {"Gone": Tuning(mode="off")}}
    assert everything(tuned(book(), tunings)) == everything(book())


# Properties

CELLS = st.sampled_from(["", CELL])
SPANS = st.integers(0, 10_000).map(lambda minutes: f"{minutes}m")
WISHES = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["on", "dry-run", "off", None]),
        "settle": SPANS | st.none(),
        "params": st.fixed_dictionaries(
            {},
            optional={
                "grace": SPANS | st.none(),
                "patience": SPANS | st.none(),
                "assign_firefighter": st.booleans() | st.none(),
            },
        ),
    },
)
TAKEN_BACK = {"mode": None, "settle": None, "params": dict.fromkeys(rule_of().params.model_fields)}


def after_all(wishes: list[tuple[str, dict[str, Any]]], before: Mapping[str, Tuning]) -> dict[str, Tuning]:
    found = dict(before)
    for cell, wish in wishes:
        after = changed(found.get(cell, Tuning()), wish, rule_of())
        found[cell] = msgspec.json.decode(msgspec.json.encode(after), type=Tuning)
    return found


@given(st.lists(st.tuples(CELLS, WISHES)))
def test_taking_back_every_change_gives_what_is_configured(wishes: list[tuple[str, dict[str, Any]]]) -> None:
    configured = book(IN_FILE + IN_FILE_OF_CELL)
    changes = after_all([*wishes, ("", TAKEN_BACK), (CELL, TAKEN_BACK)], {})
    assert all(tuning == Tuning() for tuning in changes.values())
    assert everything(tuned(configured, {RULE: changes})) == everything(configured)


@given(st.lists(st.tuples(CELLS, WISHES)), CELLS, WISHES)
def test_what_was_wished_last_holds_where_it_was_wished(
    wishes: list[tuple[str, dict[str, Any]]], cell: str, wish: dict[str, Any]
) -> None:
    found = tuned(book(IN_FILE + IN_FILE_OF_CELL), {RULE: after_all([*wishes, (cell, wish)], {})}).setting(RULE, cell)
    wanted = {name: value for name, value in wish.get("params", {}).items() if value is not None}
    as_wished = rule_of().params.model_validate(wanted)
    assert all(getattr(found.params, name) == getattr(as_wished, name) for name in wanted)
    assert wish.get("mode") in {None, found.mode}


def test_a_mistake_says_where_it_is_and_how_to_mend_it() -> None:
    assert (
        str(CannotTuneError(Mistake("mode", "is wrong"), Mistake("cell", "is none"))) == "mode: is wrong; cell: is none"
    )
