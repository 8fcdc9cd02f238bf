"""Logs, firmware, certificates and vendors' messages, as they are said to an OCPP 2.0.1 station."""

from datetime import datetime
from typing import Any

import orjson
from ocpp.v201 import call, datatypes, enums

from app.domain.commands import Command
from app.domain.errors import Invalid
from app.domain.facts import CertificateUse
from app.domain.upkeep import (
    CertificateHash,
    DeleteCertificate,
    DeliverCertificate,
    FetchLog,
    InstallCertificate,
    LogKind,
    ReadCertificates,
    RootUse,
    SendVendorMessage,
    UpdateFirmware,
)
from app.ocpp_central.dialect import Spelling, dict_of, text_of
from app.ocpp_central.moments import stamp
from app.ocpp_central.rpc import Payload
from app.ocpp_central.v201 import answers
from app.ocpp_central.v201.reading import dicts_of

LOGS = {LogKind.DIAGNOSTICS: enums.LogEnumType.diagnostics_log, LogKind.SECURITY: enums.LogEnumType.security_log}
ROOTS = {
    RootUse.CENTRAL_SYSTEM: "CSMSRootCertificate",
    RootUse.MANUFACTURER: "ManufacturerRootCertificate",
    RootUse.V2G: "V2GRootCertificate",
    RootUse.MOBILITY_OPERATOR: "MORootCertificate",
}
USES = {str(word): str(use) for use, word in ROOTS.items()} | {"V2GCertificateChain": "v2g_chain"}
CHAINS = {
    CertificateUse.STATION: enums.CertificateSigningUseEnumType.charging_station_certificate,
    CertificateUse.V2G: enums.CertificateSigningUseEnumType.v2g_certificate,
}
LONGEST_DATA_COUNT = 2500
MOST_CERTIFICATES_COUNT = 200
MOST_CHILDREN_COUNT = 4


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _log(command: FetchLog) -> Any:
    """OCPP 2.0.1 N01."""
    log = datatypes.LogParametersType(command.url, _stamp(command.from_at), _stamp(command.until_at))
    return call.GetLog(
        log,
        LOGS[command.kind],
        command.request_id,
        retries=command.retry_count,
        retry_interval=command.retry_interval_s,
    )


def _log_detail(payload: Payload) -> dict[str, Any]:
    return {"file": text_of(payload, "filename")} | _replaced(payload)


def _replaced(payload: Payload) -> dict[str, Any]:
    """Return whether an earlier job of this kind was given up for this one (AcceptedCanceled)."""
    return {"has_replaced": True} if payload.get("status") == "AcceptedCanceled" else {}


def _firmware(command: UpdateFirmware) -> Any:
    """OCPP 2.0.1 L01 (signed), L02."""
    if (command.signing_certificate is None) != (command.signature is None):
        raise Invalid("signed firmware needs both the certificate and the signature", field="signature")
    firmware = datatypes.FirmwareType(
        command.url,
        stamp(command.retrieve_at),
        _stamp(command.install_at),
        command.signing_certificate,
        command.signature,
    )
    return call.UpdateFirmware(
        command.request_id, firmware, retries=command.retry_count, retry_interval=command.retry_interval_s
    )


def _install(command: InstallCertificate) -> Any:
    """OCPP 2.0.1 M05."""
    return call.InstallCertificate(enums.InstallCertificateUseEnumType(ROOTS[command.use]), command.certificate)


def _delete(command: DeleteCertificate) -> Any:
    """OCPP 2.0.1 M04."""
    named: CertificateHash = command.certificate
    return call.DeleteCertificate(
        datatypes.CertificateHashDataType(
            named.algorithm, named.issuer_name_hash, named.issuer_key_hash, named.serial_number
        )
    )


def _installed(command: ReadCertificates) -> Any:
    """OCPP 2.0.1 M03."""
    if command.use is None:
        return call.GetInstalledCertificateIds()
    return call.GetInstalledCertificateIds([enums.GetCertificateIdUseEnumType(ROOTS[command.use])])


def _certificates(payload: Payload) -> dict[str, Any]:
    """Return what is installed; a station without any says NotFound."""
    chains = dicts_of(payload, "certificateHashDataChain")[:MOST_CERTIFICATES_COUNT]
    return {"certificates": [_chain(each) for each in chains]}


def _chain(chain: dict[str, Any]) -> dict[str, Any]:
    word = text_of(chain, "certificateType", 50) or ""
    certificate = {"use": USES.get(word, word), **_hash(dict_of(chain, "certificateHashData"))}
    if children := dicts_of(chain, "childCertificateHashData"):
        certificate["children"] = [_hash(each) for each in children[:MOST_CHILDREN_COUNT]]
    return certificate


def _hash(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "algorithm": text_of(told, "hashAlgorithm", 10),
        "issuer_name_hash": text_of(told, "issuerNameHash", 128),
        "issuer_key_hash": text_of(told, "issuerKeyHash", 128),
        "serial_number": text_of(told, "serialNumber", 40),
    }


def _deliver(command: DeliverCertificate) -> Any:
    """OCPP 2.0.1 A02, A03."""
    return call.CertificateSigned(command.chain, CHAINS[command.use])


def _vendor(command: SendVendorMessage) -> Any:
    """OCPP 2.0.1 P01."""
    return call.DataTransfer(command.vendor_id, command.message_id, command.data)


def _vendor_detail(payload: Payload) -> dict[str, Any]:
    data = payload.get("data")
    text = data if isinstance(data, str) or data is None else orjson.dumps(data).decode()
    return {"data": None if text is None else text[:LONGEST_DATA_COUNT]}


SPELLINGS: dict[type[Command], Spelling] = {
    FetchLog: Spelling(("GetLog",), _log, answers.accepted_as("Accepted", "AcceptedCanceled", detail=_log_detail)),
    UpdateFirmware: Spelling(
        ("UpdateFirmware",), _firmware, answers.accepted_as("Accepted", "AcceptedCanceled", detail=_replaced)
    ),
    InstallCertificate: Spelling(("InstallCertificate",), _install, answers.plain),
    DeleteCertificate: Spelling(("DeleteCertificate",), _delete, answers.plain),
    ReadCertificates: Spelling(
        ("GetInstalledCertificateIds",), _installed, answers.accepted_as("Accepted", "NotFound", detail=_certificates)
    ),
    DeliverCertificate: Spelling(("CertificateSigned",), _deliver, answers.plain),
    SendVendorMessage: Spelling(
        ("DataTransfer",),
        _vendor,
        answers.accepted_as("Accepted", detail=_vendor_detail),
        note="lossy: data are a text; of an answer, 2,500 characters",
    ),
}
