"""What both dialects need to spell commands: limits with one decimal, and where a standing profile starts."""

from decimal import ROUND_FLOOR, Decimal
from typing import Any

TENTH = Decimal("0.1")
MICRO = Decimal("0.000001")
STANDING_START = "2000-01-01T00:00:00Z"


def tenths(exact: Any) -> Any:
    """Return a limit with one decimal, rounded down but for the noise of binary fractions (OCPP 1.6 §7.14)."""
    return float(Decimal(str(exact)).quantize(MICRO).quantize(TENTH, rounding=ROUND_FLOOR))


def composite_detail(schedule: Any, start_at: Any) -> dict[str, Any]:
    """Return a composite schedule as `ReadComposite` promises it; raises ValueError where it is none."""
    try:
        periods = [[int(each["startPeriod"]), float(each["limit"])] for each in schedule["chargingSchedulePeriod"]]
        unit = str(schedule["chargingRateUnit"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("the composite schedule cannot be read") from None
    if unit not in {"A", "W"} or not periods:
        raise ValueError("the composite schedule is empty or in no known unit")
    return {"start_at": start_at, "unit": unit, "periods": sorted(periods)}
