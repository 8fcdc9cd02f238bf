"""What we depend on at an OCPP 1.6 station (§9: its configuration keys), and what they tell about it."""

from functools import cache

from app.domain.capabilities import Capabilities
from app.domain.commands import RateUnit
from app.domain.device import Variable
from app.ocpp_central.wanted import MEASURANDS, Kind, Needs, Setup, Told, Wanted, with_oddities

HIGHEST_CONNECTOR = 64
ATTEMPT_COUNT, RETRY_INTERVAL_S = 5, 30
UNITS = {"current": RateUnit.A, "a": RateUnit.A, "power": RateUnit.W, "w": RateUnit.W}

ASKED = (
    "SupportedFeatureProfiles",
    "NumberOfConnectors",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleMaxPeriods",
    "MaxChargingProfilesInstalled",
    "ConnectorPhaseRotation",
    "ConnectorSwitch3to1PhaseSupported",
    "LocalAuthListMaxLength",
    "LocalAuthorizeOffline",
)


@cache
def wanted(needs: Needs) -> tuple[Wanted, ...]:
    """Return what a station is set to.

    Metering first (§9.1.17 to §9.1.19): nothing else is worth as much. Transaction messages are tried five times, each
    time 30 s later than the last (§4.8, §9.1.27, §9.1.28). Offline any card may charge at the safe current, for an
    outage must leave no commuter behind; our answer to the replayed start ends the session of one that is not ours.
    """
    return (
        Wanted("MeterValuesSampledData", MEASURANDS, Kind.LIST, is_needed=True),
        Wanted("MeterValueSampleInterval", str(needs.meter_interval_s), Kind.NUMBER, is_needed=True),
        Wanted("ClockAlignedDataInterval", "0", Kind.NUMBER),
        Wanted("TransactionMessageAttempts", str(ATTEMPT_COUNT), Kind.NUMBER),
        Wanted("TransactionMessageRetryInterval", str(RETRY_INTERVAL_S), Kind.NUMBER),
        Wanted("HeartbeatInterval", str(needs.heartbeat_interval_s), Kind.NUMBER),
        Wanted("WebSocketPingInterval", str(needs.ping_interval_s), Kind.NUMBER, is_optional=True),
        Wanted("LocalAuthorizeOffline", "true", Kind.FLAG),
        Wanted("AllowOfflineTxForUnknownId", "true", Kind.FLAG, is_optional=True),
        Wanted("StopTransactionOnInvalidId", "true", Kind.FLAG),
        Wanted("StopTransactionOnEVSideDisconnect", "true", Kind.FLAG),
        Wanted("SampledDataSignReadings", "false", Kind.FLAG, is_optional=True),
        Wanted("AlignedDataSignReadings", "false", Kind.FLAG, is_optional=True),
    )


def capabilities(told: Told) -> Capabilities:
    """Return what the configuration keys of §9 say; phases are provisioned, 1.6 has no key for them."""
    profiles = told.items("SupportedFeatureProfiles")
    found = Capabilities(
        rate_units=_rate_units(told),
        has_smart_charging=None if profiles is None else "smartcharging" in {name.lower() for name in profiles},
        highest_stack_level=told.count("ChargeProfileMaxStackLevel"),
        period_count=told.count("ChargingScheduleMaxPeriods"),
        profile_count=told.count("MaxChargingProfilesInstalled"),
        evse_count=told.count("NumberOfConnectors", lowest=1, highest=HIGHEST_CONNECTOR),
        phase_rotation=told.text("ConnectorPhaseRotation"),
        can_switch_phases=told.flag("ConnectorSwitch3to1PhaseSupported"),
        feature_profiles=profiles,
        local_list_count=told.count("LocalAuthListMaxLength", highest=10**9),
        charges_offline=told.flag("LocalAuthorizeOffline"),
    )
    return with_oddities(found, told)


def _rate_units(told: Told) -> tuple[RateUnit, ...] | None:
    """Return the units of §9.4.2, "Current" and "Power", which some stations call "A" and "W"."""
    words = told.items("ChargingScheduleAllowedChargingRateUnit") or ()
    units = tuple(dict.fromkeys(UNITS[word.lower()] for word in words if word.lower() in UNITS))
    return units or None


def variable(name: str) -> Variable:
    """Return the variable of a configuration key."""
    return Variable("", name, None)


SETUP = Setup(
    reports=(), reads_everything=True, asked=ASKED, variable=variable, wanted=wanted, capabilities=capabilities
)
