"""Commands that keep a station in order: availability, lists of tokens, reservations, logs, firmware, certificates.

`app.domain.commands` has the union of all commands and of how they can end.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.device import Variable
from app.domain.facts import CertificateUse, TokenStatus
from app.domain.monitors import MonitorCommand


@dataclass(frozen=True, slots=True)
class Unlock:
    """UnlockConnector (OCPP 1.6 §5.18, 2.0.1 F05): give the cable free."""

    evse_number: int
    connector_number: int = 1


@dataclass(frozen=True, slots=True)
class SetAvailability:
    """ChangeAvailability (OCPP 1.6 §5.2, 2.0.1 G03, G04); EVSE 0: the whole station. Accepted.detail: {"scheduled"}."""

    evse_number: int
    is_operative: bool


@dataclass(frozen=True, slots=True)
class ClearCache:
    """ClearCache (OCPP 1.6 §5.4, 2.0.1 C11): forget remembered authorisations."""


@dataclass(frozen=True, slots=True)
class ReadLocalListVersion:
    """GetLocalListVersion (OCPP 1.6 §5.10, 2.0.1 D02). Accepted.detail: {"version"}; 0 or less: it has none."""


@dataclass(frozen=True, slots=True)
class LocalListEntry:
    """One token of a local list; `status` None (only in a difference) takes it off the list."""

    token: str
    status: TokenStatus | None = TokenStatus.ACCEPTED
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SendLocalList:
    """SendLocalList (OCPP 1.6 §5.15, 2.0.1 D01): the whole list, or what changes in it."""

    version: int
    is_full: bool
    entries: tuple[LocalListEntry, ...]


@dataclass(frozen=True, slots=True)
class Reserve:
    """ReserveNow (OCPP 1.6 §5.13, 2.0.1 H01); EVSE 0: any one."""

    reservation_id: int
    evse_number: int
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CancelReservation:
    """CancelReservation (OCPP 1.6 §5.1, 2.0.1 H02)."""

    reservation_id: int


class LogKind(StrEnum):
    """Which log a station uploads. DIAGNOSTICS in 1.6 is GetDiagnostics unless the station knows GetLog."""

    DIAGNOSTICS = "diagnostics"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class FetchLog:
    """GetLog, GetDiagnostics (OCPP 1.6 §5.9, whitepaper N01; 2.0.1 N01): upload to `url`. Accepted.detail: {"file"}.

    `is_plain` asks OCPP 1.6 for GetDiagnostics, which stations without the security extensions know.
    """

    request_id: int
    kind: LogKind
    url: str
    from_at: datetime | None = None
    until_at: datetime | None = None
    retry_count: int | None = None
    retry_interval_s: int | None = None
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class UpdateFirmware:
    """UpdateFirmware, SignedUpdateFirmware (OCPP 1.6 §5.19, whitepaper L01; 2.0.1 L01, L02).

    Signed where both `signing_certificate` (PEM) and `signature` (base64) are given.
    """

    request_id: int
    url: str
    retrieve_at: datetime
    install_at: datetime | None = None
    signing_certificate: str | None = None
    signature: str | None = None
    retry_count: int | None = None
    retry_interval_s: int | None = None


class RootUse(StrEnum):
    """What an installed root certificate vouches for (OCPP 2.0.1 M05; 1.6 whitepaper: the first two)."""

    CENTRAL_SYSTEM = "central_system"
    MANUFACTURER = "manufacturer"
    V2G = "v2g"
    MOBILITY_OPERATOR = "mobility_operator"


@dataclass(frozen=True, slots=True)
class CertificateHash:
    """How a certificate at a station is named (OCPP 2.0.1 CertificateHashDataType); hexadecimal texts."""

    algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


@dataclass(frozen=True, slots=True)
class InstallCertificate:
    """InstallCertificate (OCPP 1.6 whitepaper M05, 2.0.1 M05): trust this root (PEM)."""

    use: RootUse
    certificate: str


@dataclass(frozen=True, slots=True)
class DeleteCertificate:
    """DeleteCertificate (M04)."""

    certificate: CertificateHash


@dataclass(frozen=True, slots=True)
class ReadCertificates:
    """GetInstalledCertificateIds (M03). Accepted.detail: {"certificates": [{"use", "algorithm", …}, …]}.

    `use` None: all (1.6, which needs one: both of its kinds are asked for by whoever sends this).
    """

    use: RootUse | None = None


@dataclass(frozen=True, slots=True)
class DeliverCertificate:
    """CertificateSigned (A02, A03): the signed chain (PEM, leaf first)."""

    chain: str
    use: CertificateUse = CertificateUse.STATION


@dataclass(frozen=True, slots=True)
class SendVendorMessage:
    """DataTransfer (OCPP 1.6 §5.6, 2.0.1 P01). Accepted.detail: {"data"}."""

    vendor_id: str
    message_id: str | None = None
    data: str | None = None


class ReportBase(StrEnum):
    """Which standard report on the device model (OCPP 2.0.1 B07)."""

    CONFIGURATION = "configuration"
    FULL = "full"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class ReadReport:
    """GetBaseReport (OCPP 2.0.1 B07): `VariablesReported` facts follow. 1.6: see `ReadSettings` without names."""

    request_id: int
    base: ReportBase = ReportBase.FULL


@dataclass(frozen=True, slots=True)
class ReadVariables:
    """GetReport (OCPP 2.0.1 B08): report on these components only ("" as variable: all of the component's)."""

    request_id: int
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class ReadProfiles:
    """GetChargingProfiles (OCPP 2.0.1 K09): `StationReported` facts of kind PROFILES follow; EVSE None: all."""

    request_id: int
    evse_number: int | None = None


@dataclass(frozen=True, slots=True)
class ReadSessionStatus:
    """GetTransactionStatus (OCPP 2.0.1 E14). Accepted.detail: {"is_ongoing", "has_queued_messages"}."""

    station_ref: str | None = None


@dataclass(frozen=True, slots=True)
class AskCustomerInformation:
    """CustomerInformation (OCPP 2.0.1 N09, N10): report and/or erase what the station knows of a token's holder."""

    request_id: int
    token: str
    is_report: bool
    is_erasure: bool


@dataclass(frozen=True, slots=True)
class SetNetwork:
    """SetNetworkProfile (OCPP 2.0.1 B09): where and how the station connects from the next time on."""

    slot: int
    url: str
    security_profile: int
    message_timeout_s: int = 30


Upkeep = (
    Unlock
    | SetAvailability
    | ClearCache
    | ReadLocalListVersion
    | SendLocalList
    | Reserve
    | CancelReservation
    | FetchLog
    | UpdateFirmware
    | InstallCertificate
    | DeleteCertificate
    | ReadCertificates
    | DeliverCertificate
    | SendVendorMessage
    | ReadReport
    | ReadVariables
    | ReadProfiles
    | ReadSessionStatus
    | MonitorCommand
    | AskCustomerInformation
    | SetNetwork
)
