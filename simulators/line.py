"""What a station needs of whatever connects it."""

from typing import Protocol


class Line(Protocol):
    """What a station needs of its link."""

    is_up: bool
    key: str | None

    def wake(self) -> None:
        """There may be something to send."""
        ...

    def connect(self) -> None:
        """Try to connect now."""
        ...

    def abort(self) -> None:
        """Drop the connection without a word."""
        ...
