"""What the tests of clients make them ask, and answer to them, is what the vendors' documents say."""

from collections.abc import Iterator

import pytest
import respx

from tests.contract.document import FOLDER
from tests.contract.gaps import has_document, unexpected

_DOCUMENTED = {"test_jira", "test_discourse", "test_mattermost"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "undocumented(reason): the answer is, on purpose, none that a document allows")


@pytest.fixture(autouse=True)
def _by_the_documents(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test whose exchanges with `server` its vendor's document does not allow, unless it says so."""
    if not (request.path.stem in _DOCUMENTED and "server" in request.fixturenames and FOLDER.is_dir()):
        yield
        return
    server: respx.MockRouter = request.getfixturevalue("server")
    yield
    calls = [call for call in server.calls if call.has_response and has_document(call.request)]
    found = [one for call in calls for one in unexpected(call.request, call.response)]
    if calls and request.node.get_closest_marker("undocumented"):
        assert {one.where.partition(".")[0] for one in found} == {"answer"}
    else:
        assert found == []
