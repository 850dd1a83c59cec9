"""Jira's custom fields are found by type and name; what is not found is told with the ids to choose from."""

import pytest

from service.jira_shapes import FieldMap, RawField, RawSchema, discover

TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
GH = "com.pyxis.greenhopper.jira:"
NUMBER = RawSchema(type="number", custom=f"{TYPES}float")
USER = RawSchema(type="user", custom=f"{TYPES}userpicker")
USERS = RawSchema(type="array", items="user", custom=f"{TYPES}multiuserpicker")
TEXT = RawSchema(type="string", custom=f"{TYPES}textfield")
SPRINTS = RawSchema(type="array", items="json", custom=f"{GH}gh-sprint")
TEAM_POINTS = RawSchema(type="number", custom=f"{GH}jsw-story-points")
SYSTEM = RawField("assignee", "Assignee", RawSchema(type="user"))


def custom(number: int, name: str, schema: RawSchema | None) -> RawField:
    return RawField(f"customfield_{number}", name, schema)


@pytest.mark.parametrize(
    ("fact", "wanted", "fields", "found"),
    [
        pytest.param("reviewer", "Reviewer 1", [custom(1, "Reviewer 1", USER)], 1, id="by its name"),
        pytest.param("reviewer", "reviewer 1", [custom(1, "Reviewer 1", USERS)], 1, id="whatever its case"),
        pytest.param("reviewer", "Reviewer 1", [custom(1, "Reviewer 1", None)], 1, id="without any schema"),
        pytest.param("reviewer", "customfield_2", [custom(2, "Prüfer", USER)], 2, id="by its id"),
        pytest.param(
            "reviewer", "customfield_2", [custom(1, "customfield_2", USER), custom(2, "x", USER)], 2, id="an id wins"
        ),
        pytest.param(
            "story_points",
            "Story Points",
            [RawField("customfield_5", "Story-Punkte", NUMBER, "Story Points")],
            5,
            id="a translated name, by the one that it was made with",
        ),
        pytest.param("sprint", "Sprint", [custom(3, "スプリント", SPRINTS)], 3, id="a translated name, by its type"),
        pytest.param(
            "sprint",
            "Sprint",
            [custom(3, "Iteration", SPRINTS), custom(4, "Sprint", TEXT)],
            3,
            id="the type before the name",
        ),
        pytest.param(
            "sprint",
            "Sprint",
            [custom(3, "Sprint", SPRINTS), custom(4, "Sprint (old)", SPRINTS)],
            3,
            id="two of a type",
        ),
        pytest.param(
            "story_points",
            "Story Points",
            [custom(5, "Story Points", TEXT), custom(6, "Story Points", NUMBER)],
            6,
            id="of two with one name the one that holds a number",
        ),
        pytest.param(
            "story_points", "Story Points", [custom(5, "Story point estimate", TEAM_POINTS)], 5, id="by type at last"
        ),
        pytest.param(
            "story_points",
            "Story Points",
            [custom(5, "Story point estimate", TEAM_POINTS), custom(6, "Story Points", NUMBER)],
            6,
            id="the name that was configured before the type",
        ),
    ],
)
def test_a_field_is_found(fact: str, wanted: str, fields: list[RawField], found: int) -> None:
    assert discover([SYSTEM, *fields], {fact: wanted}) == (FieldMap(**{fact: f"customfield_{found}"}), ())


@pytest.mark.parametrize(
    ("fact", "wanted", "fields", "sentence"),
    [
        pytest.param(
            "reviewer",
            "Reviewer 1",
            [custom(1, "Reviewer 1", USER), custom(2, "Reviewer 1", USERS)],
            "2 fields may be “Reviewer 1”; give the id of the right one: "
            "customfield_1 “Reviewer 1”, customfield_2 “Reviewer 1”",
            id="two of one name",
        ),
        pytest.param(
            "sprint",
            "Sprint",
            [custom(1, "Sprint", SPRINTS), custom(2, "Sprint", SPRINTS)],
            "2 fields may be “Sprint”; give the id of the right one: customfield_1 “Sprint”, customfield_2 “Sprint”",
            id="two of one type and name",
        ),
        pytest.param(
            "reviewer",
            "Reviewer 1",
            [custom(1, "Prüfer", USER), custom(2, "Team", TEXT)],
            "no field is named “Reviewer 1”; give the id of the right one: customfield_1 “Prüfer”",
            id="a translated name",
        ),
        pytest.param(
            "reviewer",
            "Reviewer 1",
            [custom(2, "Team", TEXT)],
            "no field is named “Reviewer 1”; make one in Jira, or give its id",
            id="none that could be it",
        ),
        pytest.param(
            "reviewer",
            "Reviewer 1",
            [custom(1, "Reviewer 1", TEXT), custom(2, "Tester", USER)],
            "customfield_1 “Reviewer 1” is a field of another kind; "
            "give the id of the right one: customfield_2 “Tester”",
            id="a field of another type",
        ),
        pytest.param(
            "story_points",
            "Points",
            [custom(number, f"Number {number}", NUMBER) for number in range(12)],
            "no field is named “Points”; give the id of the right one: "
            + ", ".join(f"customfield_{number} “Number {number}”" for number in range(10))
            + " and 2 more",
            id="many that could be it",
        ),
    ],
)
def test_what_is_not_found_is_told_with_the_ids_to_choose_from(
    fact: str, wanted: str, fields: list[RawField], sentence: str
) -> None:
    assert discover([SYSTEM, *fields], {fact: wanted}) == (FieldMap(), (f"jira.fields.{fact}: {sentence}",))


def test_a_long_name_is_shown_on_one_short_line() -> None:
    assert str(custom(1, "Very\n" + 100 * "long", TEXT)) == f"customfield_1 “Very {'long' * 13}lon”"
