"""What we tell an OCPP 1.6 station to keep it in order: availability, tokens, reservations, logs, firmware."""

from datetime import datetime
from typing import Any

from ocpp.v16 import call, enums

from app.domain.commands import Accepted, Command, Outcome, Rejected
from app.domain.errors import Invalid
from app.domain.upkeep import (
    CancelReservation,
    ClearCache,
    FetchLog,
    LocalListEntry,
    LogKind,
    ReadLocalListVersion,
    Reserve,
    SendLocalList,
    SendVendorMessage,
    SetAvailability,
    Unlock,
    UpdateFirmware,
)
from app.ocpp_central.dialect import Spelling, Unspeakable, text_of, whole_of
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v16 import answers
from app.ocpp_central.v16.encode import id_tag
from app.ocpp_central.v16.handlers import TOKEN_STATUSES
from app.ocpp_central.v16.reports import data_of

LOGS = {LogKind.DIAGNOSTICS: enums.Log.diagnostics_log, LogKind.SECURITY: enums.Log.security_log}


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _availability(command: SetAvailability) -> Any:
    """OCPP 1.6 §5.2."""
    kind = enums.AvailabilityType.operative if command.is_operative else enums.AvailabilityType.inoperative
    return call.ChangeAvailability(command.evse_number, kind)


def _is_scheduled(payload: Payload) -> dict[str, Any]:
    return {"scheduled": payload.get("status") == "Scheduled"}


def _version(_command: ReadLocalListVersion, payload: Payload) -> Outcome:
    """OCPP 1.6 §5.10: 0 is an empty list, -1 a station without one."""
    version = whole_of(payload, "listVersion")
    if version is None:
        raise ValueError("the answer has no version")
    return Accepted({"version": version})


def _list(command: SendLocalList) -> Any:
    """OCPP 1.6 §5.15."""
    if command.is_full and any(entry.status is None for entry in command.entries):
        raise Invalid("a whole list has only tokens with a status", field="entries")
    return call.SendLocalList(
        command.version,
        enums.UpdateType.full if command.is_full else enums.UpdateType.differential,
        [_entry(entry) for entry in command.entries],
    )


def _entry(entry: LocalListEntry) -> dict[str, Any]:
    """Return an AuthorizationData; without its info the token goes off the list (OCPP 1.6 §7.2)."""
    tag: dict[str, Any] = {"id_tag": id_tag(entry.token)}
    if entry.status is None:
        return tag
    info = {"status": TOKEN_STATUSES[entry.status]}
    return tag | {"id_tag_info": info | ({} if entry.expires_at is None else {"expiry_date": stamp(entry.expires_at)})}


def _reserve(command: Reserve) -> Any:
    """OCPP 1.6 §5.13; connector 0 is any one."""
    return call.ReserveNow(
        command.evse_number, stamp(command.expires_at), id_tag(command.token), command.reservation_id
    )


def _log(command: FetchLog) -> Any:
    """OCPP 1.6 §5.9 where it has to be plain, else whitepaper N01."""
    from_at, until_at = _stamp(command.from_at), _stamp(command.until_at)
    if not command.is_plain:
        log = {"remote_location": command.url, "oldest_timestamp": from_at, "latest_timestamp": until_at}
        return call.GetLog(
            {name: value for name, value in log.items() if value is not None},
            LOGS[command.kind],
            command.request_id,
            command.retry_count,
            command.retry_interval_s,
        )
    if command.kind is LogKind.SECURITY:
        raise Unspeakable("without the security extensions OCPP 1.6 has no security log")
    return call.GetDiagnostics(command.url, command.retry_count, command.retry_interval_s, from_at, until_at)


def _log_outcome(command: FetchLog, payload: Payload) -> Outcome:
    """OCPP 1.6 §5.9: GetDiagnostics is answered with a file's name only, or without one if there is nothing."""
    if not command.is_plain:
        return _log_answer(command, payload)
    file = text_of(payload, "fileName")
    return Rejected("no diagnostics") if file is None else Accepted({"file": file})


_log_answer = answers.accepted_as(
    "Accepted",
    "AcceptedCanceled",
    detail=lambda payload: {"file": text_of(payload, "filename")} | answers.is_replacing(payload),
)


def _firmware(command: UpdateFirmware) -> Any:
    """OCPP 1.6 §5.19; whitepaper L01 where it is signed."""
    if (command.signing_certificate is None) != (command.signature is None):
        raise Invalid("signed firmware needs both the certificate and the signature", field="signature")
    if command.signature is None:
        if command.install_at is not None:
            raise Unspeakable("OCPP 1.6 can only say when to install signed firmware")
        return call.UpdateFirmware(
            command.url, stamp(command.retrieve_at), command.retry_count, command.retry_interval_s
        )
    firmware = {
        "location": command.url,
        "retrieve_date_time": stamp(command.retrieve_at),
        "install_date_time": _stamp(command.install_at),
        "signing_certificate": command.signing_certificate,
        "signature": command.signature,
    }
    known = {name: value for name, value in firmware.items() if value is not None}
    return call.SignedUpdateFirmware(command.request_id, known, command.retry_count, command.retry_interval_s)


def _firmware_outcome(command: UpdateFirmware, payload: Payload) -> Outcome:
    """OCPP 1.6 §5.19: the plain update is answered with nothing."""
    return Accepted() if command.signature is None else _firmware_answer(command, payload)


_firmware_answer = answers.accepted_as("Accepted", "AcceptedCanceled", detail=answers.is_replacing)

SPELLINGS: dict[type[Command], Spelling] = {
    Unlock: Spelling(
        ("UnlockConnector",),
        lambda command: call.UnlockConnector(command.evse_number),
        answers.accepted_as("Unlocked"),
        note="lossy: 1.6 numbers the connectors of the station, so an EVSE has one",
    ),
    SetAvailability: Spelling(
        ("ChangeAvailability",),
        _availability,
        answers.accepted_as("Accepted", "Scheduled", detail=_is_scheduled),
        note="1.6 says it of a connector, which is an EVSE here",
    ),
    ClearCache: Spelling(("ClearCache",), lambda _command: call.ClearCache(), answers.plain),
    ReadLocalListVersion: Spelling(("GetLocalListVersion",), lambda _command: call.GetLocalListVersion(), _version),
    SendLocalList: Spelling(("SendLocalList",), _list, answers.plain),
    Reserve: Spelling(("ReserveNow",), _reserve, answers.plain),
    CancelReservation: Spelling(
        ("CancelReservation",), lambda command: call.CancelReservation(command.reservation_id), answers.plain
    ),
    FetchLog: Spelling(
        ("GetLog", "GetDiagnostics"), _log, _log_outcome, note="lossy: GetDiagnostics says no number of the job"
    ),
    UpdateFirmware: Spelling(
        ("UpdateFirmware", "SignedUpdateFirmware"),
        _firmware,
        _firmware_outcome,
        note="lossy: unsigned firmware has no number of the job, and no time of its installation",
    ),
    SendVendorMessage: Spelling(
        ("DataTransfer",),
        lambda command: call.DataTransfer(command.vendor_id, command.message_id, command.data),
        answers.accepted_as("Accepted", detail=lambda payload: {"data": data_of(payload)}),
        note="lossy: of an answer, 2,500 characters",
    ),
}
