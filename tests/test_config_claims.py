"""A place belongs to one cell and an account to one person; the line to mend is named."""

import pytest

from service.config import parse_config
from service.errors import ConfigError
from service.toml_problems import Source
from tests.builders import CONFIG

FALCON = """
[[cells]]
name = "Falcon"
projects = ["FAL"]
"""
CLAIMING = CONFIG.replace(
    'channel = "serenity"', 'channel = "serenity"\nrepositories = ["Acme/Poll"]\ncontribution_projects = ["CON"]'
)
PEOPLE = CLAIMING.replace('id = "ann"', 'id = "ann"\ndiscourse = "ann"\ngithub = "ann-gh"\ngitlab = "ann-gl"')


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('repositories = ["acme/poll"]', "the repository acme/poll is claimed already at cells[0].repositories[0]"),
        ("forum_categories = [7]", "the forum category 7 is claimed already at cells[0].forum_categories[0]"),
        ('contribution_projects = ["CON"]', "the contributions project CON is claimed already at cells[0]"),
    ],
)
def test_a_place_belongs_to_one_cell(more: str, problem: str) -> None:
    text = CLAIMING + FALCON + more
    with pytest.raises(ConfigError, match=problem.replace("[", r"\[").replace("]", r"\]")) as refused:
        parse_config(Source("crafty.toml", text))
    assert f"crafty.toml:{text.count(chr(10)) + 1}" in str(refused.value)


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        ('jira = "acc-ann"', "the Jira account acc-ann"),
        ('mattermost = "Ann"', "the Mattermost account Ann"),
        ('discourse = "ANN"', "the forum account ANN"),
        ('github = "Ann-GH"', "the GitHub account Ann-GH"),
        ('gitlab = "ann-gl"', "the GitLab account ann-gl"),
    ],
)
def test_an_account_belongs_to_one_person(account: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"{problem} is somebody else's"):
        parse_config(Source("crafty.toml", f'{PEOPLE}\n[[people]]\nid = "zoe"\nname = "Zoe"\n{account}\n'))


def test_jira_tells_accounts_apart_by_case() -> None:
    text = f'{PEOPLE}\n[[people]]\nid = "zoe"\nname = "Zoe"\njira = "ACC-ANN"\n'
    assert len(parse_config(Source("crafty.toml", text)).people) == 8
