"""What was learnt of a site's stays: the stays themselves as columns, and trees that correct the mixture's hazards."""

import io
import json
import zlib
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from zipfile import BadZipFile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from app.domain.stays import PastStay
from app.scheduling.staying.curves import SiteCurves, site_curves
from app.scheduling.staying.hazards import pace_w
from app.scheduling.staying.visits import NOBODY, Visits, visits_of

METHOD = "stays-1"
MOST_KEPT_COUNT = 20_000


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
        """Return this as bytes that `from_bytes` reads: a NumPy archive without objects."""
        head = {
            "method": METHOD,
            "zone": self.zone.key,
            "until_at": self.until_at.isoformat(),
            "drivers": self.drivers,
            "trees": self.trees,
        }
        body = io.BytesIO()
        columns = {each.name: getattr(self.visits, each.name) for each in fields(Visits)}
        head_bytes = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        np.savez_compressed(body, allow_pickle=False, head=head_bytes, **columns)
        return body.getvalue()

    @classmethod
    def from_bytes(cls, body: bytes) -> "LearntStays":
        """Return what `to_bytes` wrote; raises ValueError for anything else, another version included."""
        try:
            with np.load(io.BytesIO(body), allow_pickle=False) as archive:
                head = json.loads(archive["head"].tobytes())
                visits = Visits(*(archive[each.name] for each in fields(Visits)))
            if head["method"] != METHOD:
                raise ValueError(f"written by {head['method']!r}, not {METHOD!r}")
            until_at = datetime.fromisoformat(head["until_at"])
            return learnt_from(ZoneInfo(head["zone"]), until_at, tuple(head["drivers"]), visits, head["trees"])
        except ValueError:
            raise
        except (OSError, KeyError, TypeError, EOFError, BadZipFile, zlib.error, ZoneInfoNotFoundError) as broken:
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
