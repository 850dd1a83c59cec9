"""What rules want done.

An action is a value with a stable key; doing the same key twice is the same as doing it once.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Final

import msgspec

from service.commitments import Commitment
from service.contributions import Acknowledgement
from service.facts import Person
from service.texts import Item, Message, Paragraph, Small

ASKING: Final = "missing"
"""What the state of a comment begins with as long as the comment asks for something."""


class _Action(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Base of all actions.

    occasion: what makes this one different from an earlier one of the same rule and subject; after: the key of the
    action that must have been done before, because this one tells of it.
    """

    occasion: str = ""
    after: str | None = None

    is_sticky: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def target(self) -> str:
        """The ticket key, topic, person or channel it acts on."""
        raise NotImplementedError

    def key(self, rule: str, subject: str) -> str:
        """What this action is remembered by in the ledger of effects."""
        return f"{rule}:{subject}:{self.occasion}:{self.kind}:{self.target}"


class _OnTicket(_Action, frozen=True, kw_only=True):
    ticket: str

    @property
    def target(self) -> str:
        return self.ticket


class Comment(_OnTicket, frozen=True, kw_only=True, tag="comment"):
    """The rule's one comment on a ticket says this: it is written, or the one that stands there is edited.

    state: the rule's own word for what the comment says, which it finds again as `Said.state`.
    """

    message: Message
    state: str
    is_sticky: ClassVar[bool] = True

    def key(self, rule: str, subject: str) -> str:
        """The key that the comment itself bears as its property."""
        return f"{rule}:{subject}:{self.occasion}"

    @property
    def is_asking(self) -> bool:
        """Whether somebody is asked for something by it."""
        return self.state.startswith(ASKING)


class EditComment(Comment, frozen=True, kw_only=True, tag="edit_comment"):
    """The rule's comment says this from now on; where none stands, none is written."""


class Assign(_OnTicket, frozen=True, kw_only=True, tag="assign"):
    """The ticket's assignee becomes this person; None takes the assignee away."""

    person: Person | None


class SetReviewer(_OnTicket, frozen=True, kw_only=True, tag="set_reviewer"):
    """The ticket's reviewer field names this person. sprint: whose count of reviews that nobody took it adds to."""

    person: Person
    sprint: int


class MoveToSprint(_OnTicket, frozen=True, kw_only=True, tag="move_to_sprint"):
    """The ticket moves to that sprint. name: what people call it."""

    sprint: int
    name: str


class MoveToBacklog(_OnTicket, frozen=True, kw_only=True, tag="move_to_backlog"):
    """The ticket leaves every active and future sprint."""


class RankTop(_OnTicket, frozen=True, kw_only=True, tag="rank_top"):
    """The ticket becomes the first of that sprint."""

    sprint: int


class _Label(_OnTicket, frozen=True, kw_only=True):
    label: str

    def key(self, rule: str, subject: str) -> str:
        return f"{super().key(rule, subject)}:{self.label}"


class AddLabel(_Label, frozen=True, kw_only=True, tag="add_label"):
    """The ticket bears this label."""


class RemoveLabel(_Label, frozen=True, kw_only=True, tag="remove_label"):
    """The ticket does not bear this label any more."""


class CreateTicket(_Action, frozen=True, kw_only=True, tag="create_ticket"):
    """A ticket is made for a contribution, which learns its key from a `ticketed` note.

    issue_type: its name in Jira; epic: the key of the epic it belongs to; due: its due date.
    """

    project: str
    issue_type: str
    summary: str
    message: Message
    due: date
    epic: str | None = None
    assignee: Person | None = None
    labels: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return self.project


class Link(_OnTicket, frozen=True, kw_only=True, tag="link"):
    """The ticket shows a link to something elsewhere; one global_id is one link, whatever it says later."""

    url: str
    title: str
    global_id: str


class Record(_Action, frozen=True, kw_only=True, tag="record"):
    """A ledger keeps this line for good; a line of the same ticket and sprint, or contribution, takes its place."""

    line: Commitment | Acknowledgement

    @property
    def target(self) -> str:
        return self.line.ticket if isinstance(self.line, Commitment) else self.line.contribution


class Warn(_Action, frozen=True, kw_only=True, tag="warn"):
    """Admins are told, once for each occasion, what is wrong and how to mend it. about: such as a cell's name."""

    about: str
    text: str

    def key(self, rule: str, _: str) -> str:
        """One key for all subjects: admins are told once."""
        return f"{rule}:*:{self.occasion}:{self.kind}:{self.target}"

    @property
    def target(self) -> str:
        return self.about


class Notify(_Action, frozen=True, kw_only=True, tag="notify"):
    """A chat message to one person, or to a channel where person is None."""

    message: Message
    person: Person | None = None
    channel: str | None = None

    @property
    def target(self) -> str:
        return f"@{self.person.id or self.person.name}" if self.person else f"#{self.channel}"


class Digest(_Action, frozen=True, kw_only=True, tag="digest"):
    """One line of a chat message that gathers what a rule has to tell a person at one occasion.

    intro and footer: what stands above and below the lines; line: what this subject adds; at: when the message is sent;
    of_all_rules: whether other rules add to the same message.
    """

    person: Person
    intro: Paragraph
    line: Item
    footer: Small
    at: datetime
    of_all_rules: bool = False

    def key(self, rule: str, _: str) -> str:
        """One key for all subjects: what they add is one message."""
        return f"{'*' if self.of_all_rules else rule}:*:{self.occasion}:{self.kind}:{self.target}"

    @property
    def target(self) -> str:
        return f"@{self.person.id or self.person.name}"


class Reply(_Action, frozen=True, kw_only=True, tag="reply"):
    """An answer in a forum topic. post: the number of the post that it answers."""

    topic: int
    message: Message
    post: int | None = None

    @property
    def target(self) -> str:
        return f"topic {self.topic}"


class Recheck(_Action, frozen=True, kw_only=True, tag="recheck"):
    """The rule looks at this subject again at that instant."""

    subject: str
    at: datetime

    @property
    def target(self) -> str:
        return self.subject


Action = (
    Comment
    | EditComment
    | Assign
    | SetReviewer
    | MoveToSprint
    | MoveToBacklog
    | RankTop
    | AddLabel
    | RemoveLabel
    | CreateTicket
    | Link
    | Record
    | Warn
    | Notify
    | Digest
    | Reply
    | Recheck
)
