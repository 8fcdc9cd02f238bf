"""What both dialects' classifiers of raw calls share (site-limit rule R10). In doubt: more than a call says. Pure."""

from typing import Any

from app.domain.commands import RateUnit
from app.domain.raw import Effect, Impact, Limit
from app.ocpp_central.dialect import list_of, whole_of
from app.ocpp_central.rpc import Payload

UNITS = {"A": RateUnit.A, "W": RateUnit.W}
HIGHEST_BELIEVABLE: Limit = 1e7

HARMLESS = Impact(Effect.HARMLESS)
UNVERIFIES = Impact(Effect.UNVERIFIES)
LOGS_IN = Impact(Effect.FORBIDDEN, "decides how the station logs in or whom it trusts as its central system")
OTHERS_ROOTS = ("ManufacturerRootCertificate", "V2GRootCertificate", "MORootCertificate")


def harmless(_payload: Payload) -> Impact:
    """A call that touches no limit."""
    return HARMLESS


def unverifies(_payload: Payload) -> Impact:
    """Profiles may be lost (reset, new firmware), or whatever a vendor has thought of."""
    return UNVERIFIES


def logs_in(_payload: Payload) -> Impact:
    """How a station logs in is Sunslot's own matter."""
    return LOGS_IN


def installs_root(payload: Payload) -> Impact:
    """Roots for firmware and ISO 15118 touch no limit; the central system's is Sunslot's own matter (M05)."""
    return HARMLESS if payload.get("certificateType") in OTHERS_ROOTS else LOGS_IN


def highest_of(schedules: list[Any]) -> Limit | None:
    """Return the highest limit of all periods of all schedules.

    None where one cannot be believed, or where nothing holds at first: then nobody knows what a station does.
    """
    limits = [_believable(period) for each in schedules for period in list_of(each, "chargingSchedulePeriod")]
    known = [limit for limit in limits if limit is not None]
    if not known or len(known) != len(limits) or not all(_holds_at_once(each) for each in schedules):
        return None
    return max(known)


def _holds_at_once(schedule: Any) -> bool:
    return any(whole_of(period, "startPeriod") == 0 for period in list_of(schedule, "chargingSchedulePeriod"))


def _believable(period: Any) -> Limit | None:
    value = period.get("limit") if isinstance(period, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= HIGHEST_BELIEVABLE else None
