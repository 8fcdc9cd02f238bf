"""What we tell an OCPP 2.0.1 station, and what its answers mean: the table of commands, put together."""

from app.domain.commands import Command, Outcome, Trigger
from app.domain.monitors import ReadMonitors
from app.domain.upkeep import (
    AskCustomerInformation,
    FetchLog,
    ReadProfiles,
    ReadReport,
    ReadVariables,
    UpdateFirmware,
)
from app.ocpp_central.dialect import Spelling, Unspeakable, spelled
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201 import charging, monitoring, settings, tokens, upkeep

SPELLINGS: dict[type[Command], Spelling] = {
    **charging.SPELLINGS,
    **settings.SPELLINGS,
    **monitoring.SPELLINGS,
    **tokens.SPELLINGS,
    **upkeep.SPELLINGS,
}

# Why there are no words for a command: OCPP 2.0.1 has some for all of them.
ABSENT: dict[type[Command], str] = {}

# What a command makes the station send, beside its answer.
SOLICITED: dict[type[Command], str] = {
    ReadReport: "NotifyReport",
    ReadVariables: "NotifyReport",
    ReadMonitors: "NotifyMonitoringReport",
    ReadProfiles: "ReportChargingProfiles",
    AskCustomerInformation: "NotifyCustomerInformation",
    FetchLog: "LogStatusNotification",
    UpdateFirmware: "FirmwareStatusNotification",
}
TRIGGERED = {
    "boot": "BootNotification",
    "heartbeat": "Heartbeat",
    "status": "StatusNotification",
    "meter_values": "MeterValues",
    "firmware_status": "FirmwareStatusNotification",
    "log_status": "LogStatusNotification",
    "sign_certificate": "SignCertificate",
}


def encode(command: Command) -> tuple[str, Payload]:
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
    return TRIGGERED.get(command.message) if isinstance(command, Trigger) else SOLICITED.get(type(command))
