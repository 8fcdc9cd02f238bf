"""What we depend on at an OCPP 2.0.1 station (part 2, chapter "Referenced Components"), and what its variables tell."""

from functools import cache

from app.domain.capabilities import Capabilities
from app.domain.commands import RateUnit
from app.domain.device import named
from app.domain.upkeep import ReportBase
from app.ocpp_central.wanted import MEASURANDS, REGISTER, Kind, Needs, Setup, Told, Wanted, items, whole, with_oddities

HIGHEST_EVSE = 64
ATTEMPT_COUNT, ATTEMPT_INTERVAL_S = 5, 30
BACK_OFF_LEAST_S, BACK_OFF_RANDOM_S, BACK_OFF_COUNT = 5, 10, 5
OFFLINE_THRESHOLD_S = 60
LATE_STARTS = {"EnergyTransfer", "DataSigned"}
EARLY_STOPS = {"EnergyTransfer", "PowerPathClosed", "DataSigned"}

ASKED = (
    "SmartChargingCtrlr.Available",
    "SmartChargingCtrlr.Enabled",
    "SmartChargingCtrlr.RateUnit",
    "SmartChargingCtrlr.ProfileStackLevel",
    "SmartChargingCtrlr.PeriodsPerSchedule",
    "SmartChargingCtrlr.Phases3to1",
    "LocalAuthListCtrlr.Available",
    "ReservationCtrlr.Available",
    "ChargingStation.SupplyPhases",
)
CONTROLLERS = {
    "SmartChargingCtrlr": "SmartCharging",
    "LocalAuthListCtrlr": "LocalAuthListManagement",
    "ReservationCtrlr": "Reservation",
}


@cache
def wanted(needs: Needs) -> tuple[Wanted, ...]:
    """Return what a station is set to.

    Metering (J02) first. TransactionEvents are tried five times, each time later than the last (E13.FR.02); the
    back-off of reconnects is spread (part 4, §5.3) so that a thousand stations do not come back at once. A session must
    begin before power flows, and not end because a pause stops it: only such start and stop points are changed. Offline
    any card may charge at the safe current: our answer to the replayed start ends the session of one that is not ours.
    """
    return (
        Wanted("SampledDataCtrlr.TxUpdatedMeasurands", MEASURANDS, Kind.LIST, is_needed=True),
        Wanted("SampledDataCtrlr.TxUpdatedInterval", str(needs.meter_interval_s), Kind.NUMBER, is_needed=True),
        Wanted("SampledDataCtrlr.TxStartedMeasurands", REGISTER, Kind.LIST, fits=has_register),
        Wanted("SampledDataCtrlr.TxEndedMeasurands", REGISTER, Kind.LIST, fits=has_register),
        Wanted("SampledDataCtrlr.TxEndedInterval", "0", Kind.NUMBER, is_optional=True),
        Wanted("AlignedDataCtrlr.Interval", "0", Kind.NUMBER),
        *_communication(needs),
        Wanted("AuthCtrlr.LocalAuthorizeOffline", "true", Kind.FLAG),
        Wanted("AuthCtrlr.OfflineTxForUnknownIdEnabled", "true", Kind.FLAG, is_optional=True),
        Wanted("TxCtrlr.StopTxOnInvalidId", "true", Kind.FLAG),
        Wanted("TxCtrlr.StopTxOnEVSideDisconnect", "true", Kind.FLAG),
        Wanted("TxCtrlr.TxStartPoint", "Authorized", Kind.LIST, fits=starts_in_time),
        Wanted("TxCtrlr.TxStopPoint", "EVConnected,Authorized", Kind.LIST, fits=survives_a_pause),
        Wanted("SampledDataCtrlr.SignReadings", "false", Kind.FLAG, is_optional=True),
        Wanted("AlignedDataCtrlr.SignReadings", "false", Kind.FLAG, is_optional=True),
    )


def _communication(needs: Needs) -> tuple[Wanted, ...]:
    attempts, intervals = "MessageAttempts[TransactionEvent]", "MessageAttemptInterval[TransactionEvent]"
    return (
        Wanted(f"OCPPCommCtrlr.{attempts}", str(ATTEMPT_COUNT), Kind.NUMBER),
        Wanted(f"OCPPCommCtrlr.{intervals}", str(ATTEMPT_INTERVAL_S), Kind.NUMBER),
        Wanted("OCPPCommCtrlr.RetryBackOffWaitMinimum", str(BACK_OFF_LEAST_S), Kind.NUMBER),
        Wanted("OCPPCommCtrlr.RetryBackOffRepeatTimes", str(BACK_OFF_COUNT), Kind.NUMBER),
        Wanted("OCPPCommCtrlr.RetryBackOffRandomRange", str(BACK_OFF_RANDOM_S), Kind.NUMBER),
        Wanted("OCPPCommCtrlr.OfflineThreshold", str(OFFLINE_THRESHOLD_S), Kind.NUMBER),
        Wanted("OCPPCommCtrlr.QueueAllMessages", "false", Kind.FLAG, is_optional=True),
        Wanted("OCPPCommCtrlr.HeartbeatInterval", str(needs.heartbeat_interval_s), Kind.NUMBER, is_optional=True),
        Wanted("OCPPCommCtrlr.WebSocketPingInterval", str(needs.ping_interval_s), Kind.NUMBER),
    )


def has_register(text: str) -> bool:
    """Whether the energy register is among these measurands."""
    return REGISTER in items(text)


def starts_in_time(text: str) -> bool:
    """Whether a session begins at one of these points although no energy flows yet."""
    return not set(items(text)) <= LATE_STARTS


def survives_a_pause(text: str) -> bool:
    """Whether none of these points ends a session that is only paused."""
    points = set(items(text))
    return bool(points) and not points & EARLY_STOPS


def capabilities(told: Told) -> Capabilities:
    """Return what the variables of the controllers and EVSEs say."""
    is_available = told.flag("SmartChargingCtrlr.Available")
    is_enabled = told.flag("SmartChargingCtrlr.Enabled")
    found = Capabilities(
        rate_units=_rate_units(told),
        has_smart_charging=False if is_available is False or is_enabled is False else is_available or is_enabled,
        highest_stack_level=told.count("SmartChargingCtrlr.ProfileStackLevel"),
        period_count=told.count("SmartChargingCtrlr.PeriodsPerSchedule"),
        profile_count=_most(told, "SmartChargingCtrlr.Entries[ChargingProfiles]"),
        evse_count=_evse_count(told),
        phase_count=_phase_count(told),
        can_switch_phases=told.flag("SmartChargingCtrlr.Phases3to1"),
        feature_profiles=_features(told),
        local_list_count=_most(told, "LocalAuthListCtrlr.Entries"),
        charges_offline=told.flag("AuthCtrlr.LocalAuthorizeOffline"),
    )
    return with_oddities(found, told)


def _rate_units(told: Told) -> tuple[RateUnit, ...] | None:
    words = {word.upper() for word in told.items("SmartChargingCtrlr.RateUnit") or ()}
    return tuple(unit for unit in RateUnit if unit.value in words) or None


def _most(told: Told, name: str) -> int | None:
    """Return the highest value that a variable may have: its value is how many there are now."""
    variable = told.find(name)
    return None if variable is None else whole(variable.values.partition("..")[2])


def _evse_count(told: Told) -> int | None:
    numbers = {variable.evse_number for variable in told.by_evse if variable.component.upper() == "EVSE"}
    return len(numbers) if numbers and len(numbers) <= HIGHEST_EVSE else None


def _phase_count(told: Told) -> int | None:
    """Return SupplyPhases of the station, or of its EVSEs where they agree; a DC EVSE says 0: unknown."""
    of_evses = {each.value for each in told.by_evse if (each.component, each.variable) == ("EVSE", "SupplyPhases")}
    texts = [text for text in {told.text("ChargingStation.SupplyPhases"), *of_evses} if text in {"1", "3"}]
    return int(texts[0]) if len(texts) == 1 else None


def _features(told: Told) -> tuple[str, ...] | None:
    known = {name: told.flag(f"{controller}.Available") for controller, name in CONTROLLERS.items()}
    if all(is_there is None for is_there in known.values()):
        return None
    return tuple(name for name, is_there in known.items() if is_there)


SETUP = Setup(
    reports=(ReportBase.FULL, ReportBase.CONFIGURATION),
    reads_everything=False,
    asked=ASKED,
    variable=named,
    wanted=wanted,
    capabilities=capabilities,
)
