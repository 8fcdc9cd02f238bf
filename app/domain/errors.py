"""Broken promises, each with a stable code; every edge (HTTP, OCPP, command line) maps codes in one table."""

from collections.abc import Sequence
from typing import Any


class SunslotError(Exception):
    """Base of all domain errors; `code` is stable, `detail` is for people, `field` names the bad input if one is.

    `wrong` is (field, reason) of each bad input where there may be several.
    """

    code = "internal"

    def __init__(self, detail: str, *, field: str | None = None, wrong: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.wrong = tuple(wrong) or (() if field is None else ((field, detail),))


class NotFound(SunslotError):
    """The named thing does not exist (or is not the caller's to see)."""

    code = "not_found"


class Invalid(SunslotError):
    """The input is well-formed but cannot be meant; `field` says where."""

    code = "invalid"


class Conflict(SunslotError):
    """The request contradicts what is already stored."""

    code = "conflict"


class IdempotencyMismatch(Conflict):
    """The idempotency key was used before with another request."""

    code = "idempotency_mismatch"


class BookingRefused(Conflict):
    """No EVSE can take the booking; `detail` says why, `alternatives` (`app.domain.booking.Alternative`) what could."""

    code = "booking_refused"

    def __init__(self, detail: str, *, field: str | None = None, alternatives: tuple[Any, ...] = ()) -> None:
        super().__init__(detail, field=field)
        self.alternatives = alternatives


class Unauthenticated(SunslotError):
    """No valid credentials were given."""

    code = "unauthenticated"


class Forbidden(SunslotError):
    """The caller's role does not allow this."""

    code = "forbidden"


class StationOffline(SunslotError):
    """Nobody holds a socket of the station, or it hung up while a call was pending."""

    code = "station_offline"


class StationTimeout(SunslotError):
    """The station did not answer a call in time; nothing is known about its effect."""

    code = "station_timeout"


class StationFault(SunslotError):
    """The station answered a call with an error frame; nothing is known about its effect.

    `error_code` and `error_description` are the station's own words, where it gave any.
    """

    code = "station_fault"

    def __init__(self, detail: str, *, error_code: str = "", error_description: str = "") -> None:
        super().__init__(detail)
        self.error_code = error_code
        self.error_description = error_description


class CommandRefused(SunslotError):
    """The scheduler's gate does not let a command to the station; nothing was sent.

    `missing_w` is how much room the site lacks, None where that is not the reason.
    """

    code = "command_refused"

    def __init__(self, detail: str, *, missing_w: float | None = None) -> None:
        super().__init__(detail)
        self.missing_w = missing_w


class DatabaseUnavailable(SunslotError):
    """PostgreSQL cannot be reached or does not answer in time."""

    code = "database_unavailable"


class Fenced(SunslotError):
    """Another process leads the site by now: what was decided under an older term is not written (rule R9)."""

    code = "fenced"
