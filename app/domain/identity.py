"""Who is calling the API, and what a station's handshake leads to."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """Roles of API callers. OPERATOR may everything; STATION_ADMIN manages stations and pushes site meters."""

    DRIVER = "driver"
    OPERATOR = "operator"
    GRID = "grid"
    STATION_ADMIN = "station_admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated API caller; `driver_id` is set for drivers only. Never carries the secret."""

    token_id: str
    role: Role
    name: str
    driver_id: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a connection proved below its handshake: TLS, and the subject of a client certificate that was verified."""

    is_tls: bool = False
    common_name: str | None = None
    organisation: str | None = None


@dataclass(frozen=True, slots=True)
class Knock:
    """A handshake: who somebody claims to be, what basic authentication carried (None without it), what was proved."""

    identity: str
    key: bytes | None = field(default=None, repr=False)
    proof: Proof = Proof()


@dataclass(frozen=True, slots=True)
class StationAdmitted:
    """The handshake may go on. `dialect` None: the station may choose; `needs_boot`: no commands before a boot.

    `certificate_serial` is the serial number that the station's certificate vouches for, None without profile 3. A
    station that is not commissioned gets no limits and no remote starts or stops.
    """

    station_id: str
    dialect: str | None
    needs_boot: bool
    certificate_serial: str | None = None
    is_commissioned: bool = True


@dataclass(frozen=True, slots=True)
class StationRefused:
    """The handshake ends with 401; the reason is for our log and the station's events only."""

    reason: str


Admission = StationAdmitted | StationRefused
