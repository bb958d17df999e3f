"""What a server answers when it cannot do what was asked."""

from typing import Any

from nas.errors import NasError


class ServerError(NasError, RuntimeError):
    """A server that refused, failed or cannot be reached.

    Attributes:
        status: HTTP status; None if there was no answer.
        type: type of the problem, such as ``unprocessable`` (RFC 9457); empty without an answer.
    """

    def __init__(self, message: str, *, status: int | None = None, type: str = "") -> None:
        """The message is for people."""
        super().__init__(message)
        self.status, self.type = status, type

    @classmethod
    def of(cls, status: int, problem: dict[str, Any]) -> "ServerError":
        """The error of a problem document."""
        detail = str(problem.get("detail") or problem.get("title") or f"status {status}")
        return cls(detail, status=status, type=str(problem.get("type", "")).rpartition(":")[2])
