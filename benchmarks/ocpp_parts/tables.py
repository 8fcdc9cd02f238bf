"""What a part of the benchmark returns: figures for the JSON file, tables for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rich.table
from rich.console import Console


@dataclass(frozen=True)
class Table:
    """A titled table; the first column is text."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def show(self, console: Console) -> None:
        """Print it."""
        table = rich.table.Table(title=self.title, title_justify="left")
        for number, head in enumerate(self.heads):
            table.add_column(head, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*(str(value) for value in row))
        console.print(table)


@dataclass(frozen=True)
class Result:
    """The figures of a part and how to show them."""

    figures: Any
    tables: Sequence[Table]
