"""Plain tables for people, and quantiles."""

from collections.abc import Sequence

WIDTH = 48


class Table:
    """Lines of a name and a value under headings."""

    def __init__(self, title: str) -> None:
        self._lines = [title, "=" * len(title)]

    def part(self, heading: str) -> None:
        """Begin a part."""
        self._lines += ["", heading, "-" * len(heading)]

    def line(self, name: str, value: str) -> None:
        """Add a line."""
        self._lines.append(f"{name:<{WIDTH}} {value}")

    def text(self) -> str:
        """Return it all."""
        return "\n".join(self._lines) + "\n"


def quantile_wh(values_wh: Sequence[float], share: float) -> float:
    """Return the energy that this share of the energies does not exceed; 0 without any."""
    return quantile_s(values_wh, share)


def quantile_s(values_s: Sequence[float], share: float) -> float:
    """Return the span that this share of the spans does not exceed; 0 without any."""
    ordered = sorted(values_s)
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)
