"""Local lists, reservations, availability and customers, as they are said to an OCPP 2.0.1 station."""

from typing import Any

from ocpp.v201 import call, datatypes, enums

from app.domain.commands import Accepted, Command, Outcome
from app.domain.errors import Invalid
from app.domain.facts import TokenStatus
from app.domain.upkeep import (
    AskCustomerInformation,
    CancelReservation,
    ClearCache,
    LocalListEntry,
    ReadLocalListVersion,
    Reserve,
    SendLocalList,
    SetAvailability,
    Unlock,
)
from app.ocpp_central.dialect import Spelling, whole_of
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201 import answers

STATUSES = {
    TokenStatus.ACCEPTED: enums.AuthorizationStatusEnumType.accepted,
    TokenStatus.BLOCKED: enums.AuthorizationStatusEnumType.blocked,
    TokenStatus.EXPIRED: enums.AuthorizationStatusEnumType.expired,
    TokenStatus.INVALID: enums.AuthorizationStatusEnumType.invalid,
}
WHOLE_STATION = 0
SYNTHESISED = "synthesised: the token's type, which is ISO14443 (a card)"


def _card(token: str) -> datatypes.IdTokenType:
    return datatypes.IdTokenType(token, enums.IdTokenEnumType.iso14443)


def _availability(command: SetAvailability) -> Any:
    """OCPP 2.0.1 G03, G04."""
    words = enums.OperationalStatusEnumType
    status = words.operative if command.is_operative else words.inoperative
    if command.evse_number == WHOLE_STATION:
        return call.ChangeAvailability(status)
    return call.ChangeAvailability(status, datatypes.EVSEType(command.evse_number))


def _unlock(command: Unlock) -> Any:
    """OCPP 2.0.1 F05."""
    return call.UnlockConnector(command.evse_number, command.connector_number)


def _list(command: SendLocalList) -> Any:
    """OCPP 2.0.1 D01; an empty whole list empties the station's."""
    if command.version < 1:
        raise Invalid("must be at least 1", field="version")
    words = enums.UpdateEnumType
    entries = [_entry(each, command) for each in command.entries]
    kind = words.full if command.is_full else words.differential
    return call.SendLocalList(command.version, kind, entries or None)


def _entry(entry: LocalListEntry, command: SendLocalList) -> datatypes.AuthorizationData:
    if entry.status is None:
        if command.is_full:
            raise Invalid("a whole list has no tokens to take off", field="entries")
        return datatypes.AuthorizationData(_card(entry.token))
    info = datatypes.IdTokenInfoType(
        STATUSES[entry.status], None if entry.expires_at is None else stamp(entry.expires_at)
    )
    return datatypes.AuthorizationData(_card(entry.token), info)


def _list_version(_command: ReadLocalListVersion, payload: Payload) -> Outcome:
    version = whole_of(payload, "versionNumber")
    if version is None:
        raise ValueError("the answer has no version")
    return Accepted({"version": version})


def _reserve(command: Reserve) -> Any:
    """OCPP 2.0.1 H01."""
    evse_number = None if command.evse_number == WHOLE_STATION else command.evse_number
    expires_at = stamp(command.expires_at)
    return call.ReserveNow(command.reservation_id, expires_at, _card(command.token), evse_id=evse_number)


def _customer(command: AskCustomerInformation) -> Any:
    """OCPP 2.0.1 N09, N10."""
    return call.CustomerInformation(
        command.request_id, report=command.is_report, clear=command.is_erasure, id_token=_card(command.token)
    )


SPELLINGS: dict[type[Command], Spelling] = {
    Unlock: Spelling(("UnlockConnector",), _unlock, answers.accepted_as("Unlocked")),
    SetAvailability: Spelling(
        ("ChangeAvailability",),
        _availability,
        answers.accepted_as("Accepted", "Scheduled", detail=answers.is_scheduled),
    ),
    ClearCache: Spelling(("ClearCache",), lambda _command: call.ClearCache(), answers.plain),
    ReadLocalListVersion: Spelling(
        ("GetLocalListVersion",), lambda _command: call.GetLocalListVersion(), _list_version
    ),
    SendLocalList: Spelling(("SendLocalList",), _list, answers.plain, note=SYNTHESISED),
    Reserve: Spelling(("ReserveNow",), _reserve, answers.plain, note=SYNTHESISED),
    CancelReservation: Spelling(
        ("CancelReservation",), lambda command: call.CancelReservation(command.reservation_id), answers.plain
    ),
    AskCustomerInformation: Spelling(("CustomerInformation",), _customer, answers.plain, note=SYNTHESISED),
}
