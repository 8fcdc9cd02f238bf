"""How an OCPP 1.6 station's answers are read: most of them are one status word."""

from collections.abc import Callable
from typing import Any

from app.domain.commands import Accepted, Outcome, Rejected, Unsupported
from app.ocpp_central.dialect import text_of
from app.ocpp_central.rpc import Payload

LONGEST_STATUS_COUNT = 50
NOT_KNOWN = {"NotSupported", "NotImplemented", "UnknownVendorId", "UnknownMessageId"}

Detail = Callable[[Payload], dict[str, Any]]


def accepted_as(*words: str, detail: Detail | None = None) -> Callable[[Any, Payload], Outcome]:
    """Return a reader for which these words are a success, with what `detail` finds in the answer.

    Of the other words, NOT_KNOWN ones mean that the station knows no such thing; the rest that it refuses.
    """

    def read(_command: Any, payload: Payload) -> Outcome:
        status = text_of(payload, "status", LONGEST_STATUS_COUNT)
        if status is None:
            raise ValueError("the answer has no status")
        if status in words:
            return Accepted({} if detail is None else detail(payload))
        return Unsupported(status) if status in NOT_KNOWN else Rejected(status)

    return read


def is_replacing(payload: Payload) -> dict[str, Any]:
    """Return whether an earlier job of the kind was given up for this one (AcceptedCanceled)."""
    return {"has_replaced": True} if payload.get("status") == "AcceptedCanceled" else {}


plain = accepted_as("Accepted")
