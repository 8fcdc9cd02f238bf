"""Every command in OCPP 1.6's words, and what 1.6 has no words for."""

from app.domain.commands import Command, Outcome, Trigger
from app.domain.monitors import ClearMonitors, ReadMonitors, SetMonitoringBase, SetMonitoringLevel, SetMonitors
from app.domain.upkeep import (
    AskCustomerInformation,
    FetchLog,
    ReadProfiles,
    ReadReport,
    ReadSessionStatus,
    ReadVariables,
    SetNetwork,
    UpdateFirmware,
)
from app.ocpp_central.dialect import Spelling, Unspeakable, spelled
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v16 import certificates, encode, upkeep

SPELLINGS: dict[type[Command], Spelling] = {**encode.SPELLINGS, **upkeep.SPELLINGS, **certificates.SPELLINGS}

NO_DEVICE_MODEL = "OCPP 1.6 has no device model: its configuration keys are read as settings"
NO_MONITORS = "OCPP 1.6 cannot have a station watch its variables"

ABSENT: dict[type[Command], str] = {
    ReadReport: NO_DEVICE_MODEL,
    ReadVariables: NO_DEVICE_MODEL,
    ReadProfiles: "OCPP 1.6 cannot list installed profiles: only the composite schedule that they make can be read",
    ReadSessionStatus: "OCPP 1.6 cannot ask whether a session runs or messages wait",
    SetMonitoringBase: NO_MONITORS,
    SetMonitoringLevel: NO_MONITORS,
    SetMonitors: NO_MONITORS,
    ClearMonitors: NO_MONITORS,
    ReadMonitors: NO_MONITORS,
    AskCustomerInformation: "OCPP 1.6 cannot ask what a station knows of a customer",
    SetNetwork: "OCPP 1.6 has no network profiles: where a station connects is set with its maker's own tools",
}


def encode_command(command: Command) -> tuple[str, Payload]:
    """Return action and payload; raises Unspeakable without words for it, Invalid where its content cannot be said."""
    if (reason := ABSENT.get(type(command))) is not None:
        raise Unspeakable(reason)
    message = SPELLINGS[type(command)].say(command)
    return type(message).__name__, spelled(message)


def decode_outcome(command: Command, payload: Payload) -> Outcome:
    """Return how a command ended; raises ValueError where the answer says nothing."""
    return SPELLINGS[type(command)].read(command, payload)


def solicited_by(command: Command) -> str | None:
    """Return the call that a command makes the station send."""
    match command:
        case Trigger(message):
            return encode.SOLICITED[message]
        case FetchLog(is_plain=is_plain):
            return "DiagnosticsStatusNotification" if is_plain else "LogStatusNotification"
        case UpdateFirmware(signature=signature):
            return "FirmwareStatusNotification" if signature is None else "SignedFirmwareStatusNotification"
        case _:
            return None
