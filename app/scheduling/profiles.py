"""Profile policy, once for both dialects: what a lease and a default look like (site-limit rules R6 and R8).

What the least capable stations take: one schedule of at most two periods, stack level 0, which every station has, and
per EVSE one TxDefaultProfile and one TxProfile that always names its session. ChargePointMaxProfile
(ChargingStationMaxProfile) is not used, so stations that refuse it are as good as others. Only the unit is the
station's: amperes unless it takes nothing but watts (`app.domain.capabilities`). A station that cannot hold a lease
gets a default and nothing else.
"""

import math

from app.domain.commands import Profile, ProfilePeriod, ProfilePurpose, RateUnit
from app.domain.limits import LimitOrder
from app.domain.units import current_a

STACK_LEVEL = 0
ROUNDING_GUARD = 1e-6


def _limit(power_w: float, w_per_a: float, unit: RateUnit) -> float:
    """Return a power as a profile's limit, rounded down: A to one decimal (OCPP 1.6 §7.13), W to a watt."""
    if unit is RateUnit.W:
        return float(math.floor(power_w + ROUNDING_GUARD))
    return math.floor(current_a(power_w, w_per_a, 1) * 10 + ROUNDING_GUARD) / 10


def lease_profile_id(evse_number: int) -> int:
    """Return the id of an EVSE's leases: always the same, so that each one replaces its predecessor."""
    return evse_number * 10 + 1


def lease_profile(order: LimitOrder, rate_unit: RateUnit) -> Profile:
    """Return the session's lease: Absolute, started in the past, [(0, x), (lease, safe)], no duration, no validTo.

    The station falls back to the safe power at `lease_ends_at`; the ledger counts the order a little longer.
    """
    lease_s = int((order.lease_ends_at - order.intended_at).total_seconds())
    return Profile(
        profile_id=lease_profile_id(order.evse_number),
        purpose=ProfilePurpose.SESSION,
        stack_level=STACK_LEVEL,
        unit=rate_unit,
        periods=(
            ProfilePeriod(0, _limit(order.power_w, order.w_per_a, rate_unit)),
            ProfilePeriod(lease_s, _limit(order.safe_power_w, order.w_per_a, rate_unit)),
        ),
        start_at=order.intended_at.replace(microsecond=0),
        station_ref=order.station_ref,
        phase_count=order.phase_count,
    )


def default_profile(
    evse_number: int, safe_power_w: float, w_per_a: float, phase_count: int, rate_unit: RateUnit
) -> Profile:
    """Return the standing default of an EVSE: what it may draw when nobody tells it anything."""
    return Profile(
        profile_id=evse_number * 10 + 2,
        purpose=ProfilePurpose.DEFAULT,
        stack_level=STACK_LEVEL,
        unit=rate_unit,
        periods=(ProfilePeriod(0, _limit(safe_power_w, w_per_a, rate_unit)),),
        phase_count=phase_count,
    )
