"""Where the vendors' documents say less, or something else, than what the vendors do; each place with the reason."""

from __future__ import annotations

import httpx

from service.clients.channels import Channels
from service.clients.github import GitHub
from service.clients.gitlab import GitLab
from service.clients.jira import CloudJira, DataCenterJira
from tests.contract.document import Complaint, document_of, path_of

WITHOUT_DOCUMENT: dict[str, tuple[type, str]] = {
    "/rest/api/2/serverInfo": (CloudJira, "asked of either kind before it is known which it is; version 2 is on both"),
    "/rest/webhooks/1.0/": (CloudJira, "Atlassian's document leaves out what webhooks in its web pages use"),
    "/rest/jira-webhook/1.0/": (DataCenterJira, "the same of Data Center from version 10 on"),
    "/rest/api/2/": (DataCenterJira, "Atlassian's document of Data Center is not among ours (API.md, SOURCES.md)"),
    "/repos/": (GitHub, "GitHub's document is not among ours"),
    "/api/v4/projects/": (GitLab, "GitLab's document is not among ours"),
}
"""How paths begin of which no document tells, whose they are, and why."""

WITHOUT_CALLS: dict[type, str] = {Channels: "what is asked there is apprise's, which knows each service's words"}
"""Clients that ask nothing by themselves."""

_LISTED = "the lists of topics take the parameters of Discourse's TopicQuery, of which the document names few"
_RAW = "Discourse's TopicsController shows what was written when it is asked to with include_raw"
_CHOSEN = "the document shows a body for this GET; Discourse reads the ids from the query (API.md, 4.3)"
_NUMBERED = "the number of a post is a number; the document's example had none"
_UNCHANGED = "a change from or to nothing has a null (API.md, 1.7, and captured payloads)"

GAPS: dict[tuple[str, str], str] = {
    ("GET /session/current.json", ""): "Discourse tells who is signed in there, the document does not",
    ("GET /latest.json", "request.query.category"): _LISTED,
    ("GET /latest.json", "request.query.no_subcategories"): _LISTED,
    ("GET /latest.json", "request.query.page"): _LISTED,
    ("GET /t/{id}.json", "request.query.include_raw"): _RAW,
    ("GET /t/{id}.json", "answer.body.post_stream.posts.raw"): _RAW,
    ("GET /t/{id}.json", "answer.body.post_stream.posts.action_code"): "posts that trace an action bear its name",
    ("GET /t/{id}.json", "answer.body.post_stream.posts.reply_to_post_number"): _NUMBERED,
    ("GET /t/{id}.json", "answer.body.category_id"): "a private message is in no category",
    ("GET /t/{id}.json", "answer.body.deleted_by"): "who deleted it is a user; the document's example had none",
    ("GET /t/{id}/posts.json", "request.body"): _CHOSEN,
    ("GET /t/{id}/posts.json", "request.query.post_ids[]"): _CHOSEN,
    ("GET /t/{id}/posts.json", "request.query.include_raw"): _RAW,
    ("GET /t/{id}/posts.json", "answer.body.post_stream.posts.reply_to_post_number"): _NUMBERED,
    ("POST /posts.json", "answer.body.reply_to_post_number"): _NUMBERED,
    (
        "GET /rest/agile/1.0/board/{boardId}/sprint",
        "request.query.state",
    ): "the words say that states are listed with commas, the schema says that they are an object",
    ("POST /rest/agile/1.0/sprint/{sprintId}/issue", "answer.status.207"): "207 for some of the issues (API.md, 2.5)",
    ("GET /rest/api/3/issue/{issueIdOrKey}", "answer.body.changelog.histories.items.from"): _UNCHANGED,
    ("GET /rest/api/3/issue/{issueIdOrKey}", "answer.body.changelog.histories.items.to"): _UNCHANGED,
    ("GET /rest/api/3/issue/{issueIdOrKey}/changelog", "answer.body.values.items.from"): _UNCHANGED,
    ("GET /rest/api/3/issue/{issueIdOrKey}/changelog", "answer.body.values.items.to"): _UNCHANGED,
    ("POST /rest/api/3/search/jql", "answer.body.issues.changelog.histories.items.from"): _UNCHANGED,
    ("POST /rest/api/3/search/jql", "answer.body.issues.changelog.histories.items.to"): _UNCHANGED,
    ("POST /rest/api/3/search/jql", "answer.body.nextPageToken"): "the last page may have a null (API.md, 2.2)",
    ("POST /api/v4/posts", "request.body.pending_post_id"): "not in the document, but in the server (API.md, 5)",
    (
        "PUT /rest/api/3/issue/{issueIdOrKey}/assignee",
        "request.body.accountId",
    ): "null leaves an issue unassigned, as the words say and the schema does not (API.md, 2.4)",
}
"""The reasons, by the operation and the place of the complaint."""


def has_document(request: httpx.Request) -> bool:
    return not path_of(request).startswith(tuple(WITHOUT_DOCUMENT))


def unexpected(request: httpx.Request, response: httpx.Response) -> list[Complaint]:
    """What the vendor's document does not allow in an exchange, but for the gaps; nothing without a document."""
    complaints = document_of(request).complaints(request, response) if has_document(request) else ()
    return [one for one in complaints if (one.operation, one.where) not in GAPS]
