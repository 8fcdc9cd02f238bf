"""Lists in pages, as every room hands them on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class PageAsked:
    """Which page: at most `item_count` items after `cursor` (None: the first page)."""

    item_count: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items, and the cursor of the next page, None on the last one."""

    items: tuple[Item, ...]
    next_cursor: str | None = None

    def map(self, change: Callable[[Item], Other]) -> "Page[Other]":
        """Return the page with every item changed."""
        return Page(tuple(change(item) for item in self.items), self.next_cursor)
