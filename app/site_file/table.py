"""A checked file for people at a terminal: its tree, what every node bears, and the verdict."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from app.domain.electrical import SiteModel
from app.domain.wiring import Conductor, Feeder
from app.scheduling.burdens import Burden, spell
from app.scheduling.feeders import RowKey, path
from app.site_file.checking import Checked
from app.site_file.reading import Finding

COLUMNS = ("rating", "margin", "uncontrolled", "surprises", "safe currents", "left for cars")
TERMS = ("rating", "margin", "reserve", "surprise", "safe", "left_for_cars")

WIDEST = 1_000


def show(checked: Checked, console: Console, name: str) -> None:
    """Print the tree with what each node leaves for cars, everything that was found, and whether it is safe."""
    if checked.model is not None and checked.rows:
        tree = _tree(checked.model, checked.rows)
        tree.width = _whole_width(tree, console)
        console.print(tree, crop=False)
    for finding in checked.findings:
        console.print(Text(line_for(finding, name), style="yellow" if finding.is_warning else "red"), soft_wrap=True)
    console.print(Text(verdict(checked), style="green" if checked.is_right else "red"), soft_wrap=True)


def _whole_width(table: Table, console: Console) -> int:
    """Return the width at which no cell is cut: on a narrow terminal lines wrap, but every number is there."""
    wide = console.options.update(max_width=WIDEST)
    return max(console.width, Measurement.get(console, wide, table).maximum)


def line_for(finding: Finding, name: str) -> str:
    """Return `file:12: feeders.main.rating_a: what is wrong`."""
    where = name if finding.line is None else f"{name}:{finding.line}"
    kind = "warning: " if finding.is_warning else ""
    return f"{where}: {kind}{finding.path}: {finding.reason}" if finding.path else f"{where}: {kind}{finding.reason}"


def verdict(checked: Checked) -> str:
    """Return in one line what came of the check (INV-4)."""
    if checked.is_right and checked.is_safe:
        return "Safe with the controller off for ever: yes, once every EVSE's default profile is proven."
    if checked.rows and not checked.is_safe:
        return "Safe with the controller off for ever: no."
    errors = sum(not finding.is_warning for finding in checked.findings)
    return f"{errors} to be corrected; whether the site would be safe cannot be said before."


def _tree(model: SiteModel, rows: Sequence[Burden]) -> Table:
    burdens = {row.key: row for row in rows}
    table = Table(title=f"{model.site.site_id}: {len(model.site.feeders)} feeders, {len(model.places)} EVSEs")
    table.add_column("node", no_wrap=True)
    table.add_column("EVSEs", justify="right")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    feeders = {feeder.feeder_id: feeder for feeder in model.site.feeders}
    below = _evse_counts(model, feeders)
    table.add_row(f"{model.site.site_id} (site)", str(len(model.places)), *_cells(burdens, None))
    for depth, feeder in _ordered(model.site.feeders, None, 1):
        title = f"{'  ' * depth}{feeder.feeder_id} ({feeder.kind})"
        table.add_row(title, str(below.get(feeder.feeder_id, 0)), *_cells(burdens, feeder.feeder_id))
    return table


def _ordered(feeders: Sequence[Feeder], parent_id: str | None, depth: int) -> Iterator[tuple[int, Feeder]]:
    for feeder in feeders:
        if feeder.parent_id == parent_id:
            yield depth, feeder
            yield from _ordered(feeders, feeder.feeder_id, depth + 1)


def _evse_counts(model: SiteModel, feeders: Mapping[str, Feeder]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for place in model.places:
        for feeder in path(place.feeder_id, feeders):
            counts[feeder.feeder_id] = counts.get(feeder.feeder_id, 0) + 1
    return counts


def _cells(burdens: Mapping[RowKey, Burden], feeder_id: str | None) -> list[Text]:
    """Return a node's cells: its amperes (L1/L2/L3 where they differ) and its kilowatts, one below the other."""
    in_a = [burdens[feeder_id, each] for each in Conductor if (feeder_id, each) in burdens]
    groups = [in_a] if in_a else []
    if (feeder_id, None) in burdens:
        groups.append([burdens[feeder_id, None]])
    return [Text("\n").join(_cell(term, group) for group in groups) for term in TERMS]


def _cell(term: str, group: Sequence[Burden]) -> Text:
    told = [spell(getattr(row, term), row.key) for row in group]
    shown = told[0] if len(set(told)) == 1 else "/".join(each.removesuffix(" A") for each in told) + " A"
    if term != TERMS[-1]:
        return Text(shown)
    return Text(shown, style="red" if min(row.left_for_cars for row in group) < 0 else "green")
