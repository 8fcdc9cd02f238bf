"""A large car park on a realistic tree: transformers, panels of 50 EVSEs and feeders of 10, with cars everywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.domain.commands import RateUnit
from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec, SiteSpec
from app.domain.wiring import Feeder, FeederKind, Wiring
from app.scheduling.following import Line

NOW = datetime(2026, 4, 1, 3, tzinfo=UTC)
NAMEPLATE_W, SAFE_W, W_PER_A = 6_400.0, 1_200.0, 200.0
EVSES_A_FEEDER, FEEDERS_A_PANEL, PANELS_A_TRANSFORMER = 10, 5, 5
PAIRS = (Wiring.L1_L2, Wiring.L2_L3, Wiring.L3_L1)
EVERY_IN_W = 7
PLANNED_SHARE, MUST_SHARE = 0.5, 0.1


@dataclass(frozen=True)
class Park:
    """What one cycle reads: the site, its EVSEs, open and newest entries, the plan's lines and its surplus."""

    site: SiteSpec
    evses: tuple[EvseSpec, ...]
    entries: tuple[LimitEntry, ...]
    newest: dict[str, LimitEntry]
    lines: tuple[Line, ...]
    expected_w: float


def session_of(number: int) -> str:
    """Return the session at an EVSE."""
    return f"00000000-0000-4000-8000-{number:012d}"


def site_of(evse_count: int) -> SiteSpec:
    """Return the site: its limit is a quarter of all nameplates above what all take by default."""
    feeder_count = -(-evse_count // EVSES_A_FEEDER)
    panel_count = -(-feeder_count // FEEDERS_A_PANEL)
    feeders = (
        *(
            Feeder(f"t{number}", None, FeederKind.TRANSFORMER, limit_w=1_000_000.0, rating_a=2_900.0)
            for number in range(-(-panel_count // PANELS_A_TRANSFORMER))
        ),
        *(
            Feeder(f"p{number}", f"t{number // PANELS_A_TRANSFORMER}", FeederKind.PANEL, rating_a=630.0, margin_a=20.0)
            for number in range(panel_count)
        ),
        *(
            Feeder(f"f{number}", f"p{number // FEEDERS_A_PANEL}", FeederKind.FEEDER, rating_a=150.0)
            for number in range(feeder_count)
        ),
    )
    limit_w = evse_count * (SAFE_W + NAMEPLATE_W / 4) + NAMEPLATE_W
    return SiteSpec("bench", "Asia/Tokyo", limit_w, 0.0, 0.0, feeders=feeders, surprised_count=1)


def park_of(evse_count: int, now: datetime = NOW) -> Park:
    """Return a park with a car at every EVSE, each on the limit that the plan wants for it."""
    site = site_of(evse_count)
    evses = tuple(evse_of(number) for number in range(1, evse_count + 1))
    lines = tuple(line_of(evse, now) for evse in evses)
    entries = tuple(_entry(line, site, now) for line in lines)
    expected_w = sum(line.planned_w - line.must_w for line in lines)
    return Park(site, evses, entries, {each.session_id: each for each in entries}, lines, expected_w)


def evse_of(number: int) -> EvseSpec:
    """Return an EVSE of 32 A at 200 V between two lines, at its feeder."""
    return EvseSpec(
        evse_id=number,
        station_id=f"b{number:04d}",
        evse_number=1,
        nameplate_w=NAMEPLATE_W,
        min_power_w=SAFE_W,
        safe_power_w=SAFE_W,
        w_per_a=W_PER_A,
        phase_count=1,
        is_verified=True,
        is_online=True,
        verified_at=NOW - timedelta(days=1),
        feeder_id=f"f{(number - 1) // EVSES_A_FEEDER}",
        wiring=PAIRS[number % len(PAIRS)],
        rate_unit=RateUnit.W if number % EVERY_IN_W == 0 else RateUnit.A,
    )


def line_of(evse: EvseSpec, now: datetime) -> Line:
    """Return a plan line: some get nothing now, the others up to half of what they can take."""
    planned_w = SAFE_W + (evse.evse_id % 5) / 4 * (PLANNED_SHARE * NAMEPLATE_W - SAFE_W) if evse.evse_id % 3 else 0.0
    return Line(
        evse_id=evse.evse_id,
        session_id=session_of(evse.evse_id),
        planned_w=planned_w,
        must_w=MUST_SHARE * planned_w,
        most_w=NAMEPLATE_W,
        need_wh=4_000.0 + evse.evse_id % 11 * 1_000.0,
        departs_at=now + timedelta(hours=1 + evse.evse_id % 8),
    )


def _entry(line: Line, site: SiteSpec, now: datetime) -> LimitEntry:
    intended_at = now - timedelta(minutes=2)
    ends_at = intended_at + site.lease
    return LimitEntry(
        order_no=line.evse_id,
        evse_id=line.evse_id,
        power_w=line.planned_w,
        intended_at=intended_at,
        ends_at=ends_at + timedelta(seconds=30),
        accepted_at=intended_at + timedelta(seconds=1),
        session_id=line.session_id,
        lease_ends_at=ends_at,
        taken_at=intended_at,
        switched_at=now - timedelta(hours=1),
    )
