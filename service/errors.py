"""What can go wrong, sorted by who must act: the sender, an admin, or nobody but time."""

from dataclasses import dataclass


class CraftyError(Exception):
    """Base of all expected errors; its text is one sentence that is safe to show."""


@dataclass(frozen=True)
class Problem:
    """One thing to mend in a configuration.

    where: file and line, or the variable's name; key: dotted path; what: the sentence, with the way to mend it.
    """

    where: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.what}" if self.key else f"{self.where}: {self.what}"


class ConfigError(CraftyError):
    """Settings that cannot be used; nothing starts until each problem is mended."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Rejected(CraftyError):
    """A delivery that is not accepted.

    status: the HTTP status code; detail: a sentence for the sender, without any part of the body or a secret.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class NotFound(CraftyError):
    """The thing a call speaks of is gone, or is hidden from us."""


class TryLater(CraftyError):
    """A passing fault: the same call may succeed later.

    after: seconds to wait at least; None when the other side named no time.
    """

    def __init__(self, detail: str, after: float | None = None) -> None:
        super().__init__(detail)
        self.after = after


class CannotAct(CraftyError):
    """A call that will fail the same way each time until a person changes something."""


class NotSignedInError(CannotAct):
    """A credential that is not accepted: nothing works until somebody renews it, and then everything does again."""


class RedisAway(CraftyError):
    """Redis can't be reached or refuses to work; nothing was stored."""
