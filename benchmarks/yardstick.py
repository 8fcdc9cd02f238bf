"""The yardstick's grid: two sites × two suns × surplus 1.5 and 0.75 × needs known and declared, all policies.

    ./run bench yardstick [--data FOLDER] [--quick] [--site NAME …] [--sun NAME …] [--need NAME …] [--jobs N]
                          [--json FILE]

The reference rows come first, beside the published ones; then every combination, in all, May to June and July to August
apart; then what of the bars is reached. The records are looked for in --data, in SUNSLOT_RECORDS, in ../shared/data.
`--quick` measures some days only: PV is scaled anew there, so that its figures are not those of the whole months.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from app.backtest.stock import Stock
from benchmarks.yardstick_parts.grid import NEEDS, SITES, SUNS, cells, folder_of, measured
from benchmarks.yardstick_parts.telling import bars_of, is_published, show_bars, show_cell, show_references


def main() -> None:
    """Measure the combinations that were asked for, print their tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="the folder of the records")
    parser.add_argument("--quick", action="store_true", help="some days only")
    parser.add_argument("--site", action="append", choices=tuple(SITES))
    parser.add_argument("--sun", action="append", choices=tuple(SUNS))
    parser.add_argument("--need", action="append", choices=NEEDS)
    parser.add_argument("--jobs", type=int, default=2, choices=range(1, 65), metavar="1..64")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    folder, console, stock = folder_of(asked.data), Console(width=110), Stock()
    found: dict[str, Any] = {"cells": {}, "references": {}, "bars": []}
    began_s = time.monotonic()
    for cell in cells(tuple(asked.site or SITES), tuple(asked.sun or SUNS), tuple(asked.need or NEEDS)):
        figures = measured(cell, stock, folder, asked.jobs, is_quick=asked.quick)
        if is_published(cell) and not asked.quick:
            found["references"][cell.name] = show_references(cell, figures, console)
        show_cell(cell, figures, console)
        found["cells"][cell.name] = figures
        found["bars"] += bars_of(cell, figures)
    show_bars(found["bars"], console)
    found["took_s"] = round(time.monotonic() - began_s, 1)
    console.print(f"{len(found['cells'])} combinations in {found['took_s']:.0f} s")
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
