"""The combinations of site, sun, ratio and need, each measured with all policies, by parts of the months."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from app.backtest.runs import Question
from app.backtest.stock import Stock
from app.backtest.yardstick import courses, figures_of, places_of, rows_of

VARIABLE = "SUNSLOT_RECORDS"
NEARBY = (Path("../shared/data"), Path("data"))
LOAD = Path("load/doe_medium_office_los_angeles_hourly.csv")
SITES = {"jpl": ("jpl_2019-05_2019-08.csv.gz", 16), "caltech": ("caltech_2019-05_2019-08.csv.gz", 6)}
SUNS = {
    "system50": ("solar/nrel_system50_15min_2011-04_2013-12.csv.gz", 7),
    "serf_east": ("solar/nrel_serf_east_15min_2016-07_2016-10.csv.gz", 3),
}
RATIOS = (1.5, 0.75)
NEEDS = ("known", "declared")
PARTS = {"May-June": ("2019-05", "2019-06"), "July-August": ("2019-07", "2019-08")}
QUICK_LAST = date(2019, 5, 10)
QUICK_SERF = (date(2019, 7, 8), date(2019, 7, 12))


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination."""

    site: str
    sun: str
    ratio: float
    need: str

    @property
    def name(self) -> str:
        """What it is called in the figures."""
        return f"{self.site}, {self.sun}, R = {self.ratio:g}, need {self.need}"

    def question(self, folder: Path, *, is_quick: bool) -> Question:
        """Return what is asked of the yardstick; quickly: some days only."""
        sessions, least_count = SITES[self.site]
        solar, shift_years = SUNS[self.sun]
        first = QUICK_SERF[0] if is_quick and self.sun == "serf_east" else None
        last = None if not is_quick else QUICK_SERF[1] if self.sun == "serf_east" else QUICK_LAST
        return Question(
            sessions=folder / sessions,
            solar=folder / solar,
            load=folder / LOAD,
            surplus_ratio=self.ratio,
            shift_years=shift_years,
            weekdays=True,
            least_session_count=least_count,
            is_need_declared=self.need == "declared",
            first=first,
            last=last,
        )


def folder_of(given: Path | None) -> Path:
    """Return where the records lie: what was given, the variable's, or a folder nearby; raises SystemExit for none."""
    told = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    for folder in (told,) if told is not None else NEARBY:
        if (folder / LOAD).is_file():
            return folder
    where = told or " or ".join(str(each) for each in NEARBY)
    raise SystemExit(f"the records are not in {where}: say where they are with --data FOLDER or {VARIABLE}")


def cells(sites: tuple[str, ...], suns: tuple[str, ...], needs: tuple[str, ...]) -> Iterator[Cell]:
    """Yield the combinations that are asked for."""
    for site in sites:
        for sun in suns:
            for need in needs:
                for ratio in RATIOS:
                    yield Cell(site, sun, ratio, need)


def measured(cell: Cell, stock: Stock, folder: Path, jobs_count: int, *, is_quick: bool) -> dict[str, Any]:
    """Return a combination's figures, with rows by part of the months; PV is scaled over all days."""
    question = cell.question(folder, is_quick=is_quick)
    material = stock.lay_out(question)
    went = courses(question, material, jobs_count=jobs_count)
    tallies = {name: course.tallies for name, course in went.items()}
    places = {part: places_of(material.days, months) for part, months in PARTS.items()}
    return figures_of(question, material, went) | {
        "site": cell.site,
        "sun": cell.sun,
        "is_quick": is_quick,
        "parts": {part: rows_of(tallies, found) for part, found in places.items() if found},
        "part_days": {part: len(found) for part, found in places.items() if found},
    }
