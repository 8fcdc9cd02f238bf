"""What every limit of a site bears: what is taken off it, what may be in force, and what rests without a controller.

INV-4: Σ safe currents + nameplates of the unverified + reserve + margin ≤ rating at every row. Then the site is safe
with the controller off for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.units import kw_from_w
from app.domain.wiring import Conductor
from app.scheduling.feeders import GUARD, Loads, RowKey, grid_of, surprises


@dataclass(frozen=True, slots=True)
class Burden:
    """One row (A per conductor, or W), with all that it has to bear.

    `uncontrolled` is what uncontrolled load is counted with, `reserve` the most that was promised for it. `surprised`
    are the stations whose surprise is covered, each with what it could draw beyond its safe current. `safe` is Σ of all
    EVSEs at their safe current, `resting` the same with the unverified at nameplate, `in_force` Σ u_i.
    """

    key: RowKey
    rating: float
    margin: float
    reserve: float
    uncontrolled: float
    surprised: Mapping[str, float]
    safe: float
    resting: float
    in_force: float

    @property
    def surprise(self) -> float:
        """The margin for the stations whose surprise is covered."""
        return sum(self.surprised.values())

    @property
    def headroom(self) -> float:
        """What may still be raised here; negative: INV-1 does not hold."""
        return self.rating - self.margin - self.uncontrolled - self.surprise - self.in_force

    @property
    def holds(self) -> bool:
        """Whether INV-1 holds here."""
        return self.headroom >= -GUARD

    @property
    def left_for_cars(self) -> float:
        """What the controller has to give above the safe currents, while uncontrolled load takes all its reserve."""
        return self.rating - self.margin - self.reserve - self.surprise - self.safe

    @property
    def missing_safe(self) -> float:
        """How much too much the safe currents of all EVSEs are here; 0: they fit."""
        return self._missing(self.safe)

    @property
    def missing_resting(self) -> float:
        """How much too much EVSEs draw here while no controller is there, as far as is proven today; 0: INV-4 holds."""
        return self._missing(self.resting)

    def _missing(self, load: float) -> float:
        excess = load + self.reserve + self.margin - self.rating
        return excess if excess > GUARD else 0.0


def burdens(
    site: SiteSpec, evses: Sequence[EvseSpec], in_force_w: Mapping[int, float], loads: Loads | None = None
) -> tuple[Burden, ...]:
    """Return every row of the site, its own first. `in_force_w` is u_i of each EVSE; `loads` as for `grid_of`."""
    grid = grid_of(site, evses, loads)
    safe = grid.loads({evse.evse_id: evse.safe_power_w for evse in evses})
    resting = grid.loads({each.evse_id: each.safe_power_w if each.is_verified else each.nameplate_w for each in evses})
    in_force = grid.loads(in_force_w)
    covered = surprises(site, evses, grid.shares, len(grid.rows))
    terms = _terms(site)
    return tuple(
        Burden(
            key=row.key,
            rating=terms[row.key][0],
            margin=terms[row.key][1],
            reserve=terms[row.key][2],
            uncontrolled=(loads or {}).get(row.key, terms[row.key][2]),
            surprised=covered[number],
            safe=safe[number],
            resting=resting[number],
            in_force=in_force[number],
        )
        for number, row in enumerate(grid.rows)
    )


def planned_burdens(site: SiteSpec, evses: Sequence[EvseSpec]) -> tuple[Burden, ...]:
    """Return every row of a site whose EVSEs are all at their safe current."""
    return burdens(site, evses, {evse.evse_id: evse.safe_power_w for evse in evses})


def _terms(site: SiteSpec) -> dict[RowKey, tuple[float, float, float]]:
    """Return (rating, margin, reserve) of each row."""
    terms: dict[RowKey, tuple[float, float, float]] = {(None, None): (site.limit_w, site.margin_w, site.reserve_w)}
    for feeder in site.feeders:
        if feeder.limit_w is not None:
            terms[feeder.feeder_id, None] = (feeder.limit_w, feeder.margin_w, feeder.reserve_w)
        if feeder.rating_a is not None:
            for conductor in Conductor:
                terms[feeder.feeder_id, conductor] = (feeder.rating_a, feeder.margin_a, feeder.reserve_a)
    return terms


def why_resting_unsafe(row: Burden, unproven: Sequence[str]) -> str:
    """Say in words why a row is not safe today with the controller off; `unproven` are the EVSEs without a proof."""
    left = spell(row.rating - row.margin - row.reserve, row.key)
    told = f"EVSEs at their safe current, and at nameplate where it is not proven ({', '.join(unproven) or 'none'}), "
    return told + f"may draw {spell(row.resting, row.key)}, {left} are left for them"


def why_unsafe(row: Burden) -> str:
    """Say in words why the safe currents do not fit at a row, with the missing A or kW."""
    told = f"the safe currents of its EVSEs need {spell(row.safe, row.key)} together, "
    told += f"{spell(row.rating - row.margin - row.reserve, row.key)} are left for them: "
    return told + f"{spell(row.missing_safe, row.key)} too much"


def spell(amount: float, key: RowKey) -> str:
    """Return an amount of a row in A or kW, to a tenth of an ampere or a watt."""
    return f"{kw_from_w(amount):g} kW" if key[1] is None else f"{round(amount, 1):g} A"


def place_of(key: RowKey) -> str:
    """Return what people call a row."""
    feeder_id, conductor = key
    return ("the site" if feeder_id is None else f"feeder {feeder_id}") + (f" ({conductor})" if conductor else "")
