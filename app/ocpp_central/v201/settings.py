"""Variables, reports, triggers, resets and network profiles, as they are said to an OCPP 2.0.1 station."""

from typing import Any

from ocpp.v201 import call, datatypes, enums

from app.domain.commands import (
    Accepted,
    Command,
    Outcome,
    ReadSettings,
    Reboot,
    Rejected,
    Trigger,
    Unsupported,
    WriteSetting,
)
from app.domain.errors import Invalid
from app.domain.upkeep import ReadReport, ReadVariables, ReportBase, SetNetwork
from app.ocpp_central.dialect import Spelling, Unspeakable, list_of, text_of
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201 import answers
from app.ocpp_central.v201.naming import component_of, parsed, spelled_name, variable_of

TRIGGERS = {
    "boot": enums.MessageTriggerEnumType.boot_notification,
    "heartbeat": enums.MessageTriggerEnumType.heartbeat,
    "status": enums.MessageTriggerEnumType.status_notification,
    "meter_values": enums.MessageTriggerEnumType.meter_values,
    "firmware_status": enums.MessageTriggerEnumType.firmware_status_notification,
    "log_status": enums.MessageTriggerEnumType.log_status_notification,
    "sign_certificate": enums.MessageTriggerEnumType.sign_charging_station_certificate,
}
REPORT_BASES = {
    ReportBase.CONFIGURATION: enums.ReportBaseEnumType.configuration_inventory,
    ReportBase.FULL: enums.ReportBaseEnumType.full_inventory,
    ReportBase.SUMMARY: enums.ReportBaseEnumType.summary_inventory,
}
ONLY_CONNECTOR = 1
UNKNOWN_SETTING = {"UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"}
LONGEST_VALUE_COUNT = 2500


def _reboot(command: Reboot) -> Any:
    """OCPP 2.0.1 B11, B12."""
    return call.Reset(enums.ResetEnumType.immediate if command.hard else enums.ResetEnumType.on_idle)


def _rebooting(_command: Reboot, payload: Payload) -> Outcome:
    status = answers.status_of(payload)
    if status == "Scheduled":
        return Accepted({"scheduled": True})
    return Accepted() if status == "Accepted" else answers.refused(payload)


def _trigger(command: Trigger) -> Any:
    """OCPP 2.0.1 F06; F06.FR.12: a StatusNotification is asked of a connector."""
    if command.message == "diagnostics_status":
        raise Unspeakable("DiagnosticsStatusNotification is a message of OCPP 1.6; ask for log_status")
    if command.message not in TRIGGERS:
        raise Invalid("is no message that can be triggered", field="message")
    evse = None
    if command.evse_number is not None:
        evse = datatypes.EVSEType(command.evse_number, ONLY_CONNECTOR if command.message == "status" else None)
    return call.TriggerMessage(TRIGGERS[command.message], evse)


def _read(command: ReadSettings) -> Any:
    """OCPP 2.0.1 B06."""
    if not command.names:
        raise Invalid("OCPP 2.0.1 reads settings by name", field="names")
    return call.GetVariables([datatypes.GetVariableDataType(*parsed(name, "names")) for name in command.names])


def _settings(_command: ReadSettings, payload: Payload) -> Outcome:
    values: dict[str, str | None] = {}
    unknown: list[str] = []
    for result in list_of(payload, "getVariableResult"):
        status = text_of(result, "attributeStatus")
        if status in UNKNOWN_SETTING:
            unknown.append(spelled_name(result))
        else:
            value = text_of(result, "attributeValue", LONGEST_VALUE_COUNT)
            values[spelled_name(result)] = value if status == "Accepted" else None
    return Accepted({"values": values, "unknown": unknown})


def _write(command: WriteSetting) -> Any:
    """OCPP 2.0.1 B05."""
    return call.SetVariables([datatypes.SetVariableDataType(command.value, *parsed(command.name, "name"))])


def _written(_command: WriteSetting, payload: Payload) -> Outcome:
    results = list_of(payload, "setVariableResult")
    status = text_of(results[0], "attributeStatus") if results else None
    if status is None:
        raise ValueError("the answer has no result")
    if status in UNKNOWN_SETTING:
        return Unsupported(status)
    if status in {"Accepted", "RebootRequired"}:
        return Accepted({"reboot_required": status == "RebootRequired"})
    return Rejected(status)


def _report(command: ReadReport) -> Any:
    """OCPP 2.0.1 B07."""
    return call.GetBaseReport(command.request_id, REPORT_BASES[command.base])


def _variables(command: ReadVariables) -> Any:
    """OCPP 2.0.1 B08."""
    if not command.variables:
        raise Invalid("names no variable", field="variables")
    wanted = [datatypes.ComponentVariableType(component_of(each), variable_of(each)) for each in command.variables]
    return call.GetReport(command.request_id, wanted)


def _network(command: SetNetwork) -> Any:
    """OCPP 2.0.1 B09. "OCPP20" is how 2.0.1 is spelled there (B09.FR.01)."""
    profile = datatypes.NetworkConnectionProfileType(
        ocpp_version=enums.OCPPVersionEnumType.ocpp20,
        ocpp_transport=enums.OCPPTransportEnumType.json,
        ocpp_csms_url=command.url,
        message_timeout=command.message_timeout_s,
        security_profile=command.security_profile,
        ocpp_interface=enums.OCPPInterfaceEnumType.wired0,
    )
    return call.SetNetworkProfile(command.slot, profile)


SPELLINGS: dict[type[Command], Spelling] = {
    Reboot: Spelling(("Reset",), _reboot, _rebooting),
    Trigger: Spelling(
        ("TriggerMessage",),
        _trigger,
        answers.plain,
        note="lossy: of a status, the EVSE's first connector; there is no diagnostics status",
    ),
    ReadSettings: Spelling(("GetVariables",), _read, _settings, note="lossy: the actual values only; names are needed"),
    WriteSetting: Spelling(("SetVariables",), _write, _written, note="lossy: the actual value, one at a time"),
    ReadReport: Spelling(("GetBaseReport",), _report, answers.plain),
    ReadVariables: Spelling(("GetReport",), _variables, answers.plain),
    SetNetwork: Spelling(
        ("SetNetworkProfile",),
        _network,
        answers.plain,
        note="synthesised: the interface, which is Wired0; no APN, no VPN",
    ),
}
