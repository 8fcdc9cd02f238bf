"""What a plugged-in car can really take: the cap learnt from its metered power."""

from datetime import datetime, timedelta

LEARN_AFTER = timedelta(seconds=60)
FRESH = timedelta(minutes=5)
CLEARLY_LESS_SHARE = 0.9
REGROWTH_SHARE = 1.1
LEAST_DRAW_W = 200.0


def observed_cap_w(
    *,
    limit_w: float | None,
    limit_since_at: datetime | None,
    power_w: float | None,
    metered_at: datetime | None,
    now: datetime,
) -> float | None:
    """Return the power that the car will not exceed, 10 % above what it draws; None where nothing was learnt.

    Learns only from a fresh reading taken at least 60 s after the limit in force was set, from a car that draws, but
    clearly less than allowed (taper, on-board charger, unbalanced phases).
    """
    if limit_w is None or limit_since_at is None or power_w is None or metered_at is None:
        return None
    if metered_at - limit_since_at < LEARN_AFTER or now - metered_at > FRESH:
        return None
    if power_w < LEAST_DRAW_W or power_w >= CLEARLY_LESS_SHARE * limit_w:
        return None
    return power_w * REGROWTH_SHARE
