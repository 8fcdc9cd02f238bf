"""What was learnt of a site's stays: the stays themselves as columns, and trees that correct the mixture's hazards."""

import json
import zlib
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from app.domain.stays import PastStay
from app.scheduling.staying.curves import SiteCurves, site_curves
from app.scheduling.staying.hazards import pace_w
from app.scheduling.staying.visits import NOBODY, Visits, visits_of

METHOD = "stays-1"
MOST_KEPT_COUNT = 20_000
HEAD_END = b"\n"


@dataclass(frozen=True, slots=True)
class LearntStays:
    """What was learnt by `until_at`: stays of `drivers` (by number), sorted by when they left; `trees` as text.

    Everything that is personal lies in `drivers` and in the numbers that point there; the rest is the site's.
    """

    zone: ZoneInfo
    until_at: datetime
    drivers: tuple[str, ...]
    visits: Visits
    trees: str | None
    site: SiteCurves = field(repr=False, compare=False)
    pace_w: float = 0.0

    @property
    def stays_count(self) -> int:
        """How many stays it was learnt from (the newest 20,000 at most)."""
        return len(self.visits)

    def with_stay(self, stay: PastStay) -> "LearntStays":
        """Return this with one more stay; the trees stay as they are until everything is learnt anew."""
        drivers = self.drivers
        if stay.driver is not None and stay.driver not in drivers:
            drivers = (*drivers, stay.driver)
        more = visits_of([stay], {name: number for number, name in enumerate(drivers)}, self.zone)
        visits = self.visits.joined(more)
        visits = visits.chosen(np.argsort(visits.leaves_at, kind="stable")[-MOST_KEPT_COUNT:])
        return learnt_from(self.zone, max(self.until_at, stay.left_at), drivers, visits, self.trees)

    def without(self, driver: str) -> "LearntStays":
        """Return this without anything that tells of a driver; the stays remain as anybody's."""
        if driver not in self.drivers:
            return self
        number = self.drivers.index(driver)
        drivers = tuple(name for name in self.drivers if name != driver)
        numbers = np.where(self.visits.driver == number, NOBODY, self.visits.driver)
        return replace(
            self, drivers=drivers, visits=replace(self.visits, driver=np.where(numbers > number, numbers - 1, numbers))
        )

    def to_bytes(self) -> bytes:
        """Return this as bytes that `from_bytes` reads: compressed, a line of JSON and the columns as 64-bit floats."""
        head = {
            "method": METHOD,
            "zone": self.zone.key,
            "until_at": self.until_at.isoformat(),
            "drivers": self.drivers,
            "trees": self.trees,
        }
        columns = [np.asarray(getattr(self.visits, each.name), dtype="<f8") for each in fields(Visits)]
        return zlib.compress(json.dumps(head).encode() + HEAD_END + b"".join(column.tobytes() for column in columns))

    @classmethod
    def from_bytes(cls, body: bytes) -> "LearntStays":
        """Return what `to_bytes` wrote; raises ValueError for anything else, another version included."""
        try:
            head_bytes, columns_bytes = zlib.decompress(body).split(HEAD_END, 1)
            head = json.loads(head_bytes)
            if head["method"] != METHOD:
                raise ValueError(f"written by {head['method']!r}, not {METHOD!r}")
            columns = np.frombuffer(columns_bytes, dtype="<f8").reshape(len(fields(Visits)), -1)
            driver, day = columns[0].astype(np.int64), columns[1].astype(np.int64)
            visits = Visits(driver, day, *(column.astype(np.float64) for column in columns[2:]))
            until_at = datetime.fromisoformat(head["until_at"])
            return learnt_from(ZoneInfo(head["zone"]), until_at, tuple(head["drivers"]), visits, head["trees"])
        except (KeyError, TypeError, zlib.error, ZoneInfoNotFoundError) as broken:
            raise ValueError(f"no learnt stays ({broken})") from None


def learnt_from(
    zone: ZoneInfo, until_at: datetime, drivers: tuple[str, ...], visits: Visits, trees: str | None
) -> LearntStays:
    """Return what was learnt with the site's curves drawn from its stays."""
    return LearntStays(zone, until_at, drivers, visits, trees, site_curves(visits), pace_w(visits))


@lru_cache(maxsize=4)
def trees_from(text: str) -> Any:
    """Return the trees that a text describes."""
    import lightgbm

    return lightgbm.Booster(model_str=text)
