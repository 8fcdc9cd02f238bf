"""How an OCPP 2.0.1 station's answers are read: most of them are one status word, some with a reason."""

from collections.abc import Callable
from typing import Any

from app.domain.commands import Accepted, Outcome, Rejected, Unsupported
from app.ocpp_central.dialect import dict_of, text_of
from app.ocpp_central.rpc import Payload

NOT_KNOWN = {"NotSupported", "NotImplemented", "UnknownVendorId", "UnknownMessageId"}


def status_of(payload: Payload) -> str:
    """Return the status; raises ValueError where there is none."""
    status = text_of(payload, "status", 50)
    if status is None:
        raise ValueError("the answer has no status")
    return status


def refused(payload: Payload) -> Outcome:
    """Return a status that is no success: the station knows no such thing, or does not want to, and why."""
    status = status_of(payload)
    if status in NOT_KNOWN:
        return Unsupported(status)
    return Rejected(text_of(dict_of(payload, "statusInfo"), "reasonCode", 50) or status)


def accepted_as(
    *words: str, detail: Callable[[Payload], dict[str, Any]] | None = None
) -> Callable[[Any, Payload], Outcome]:
    """Return a reader for which these words are a success, with what `detail` finds in the answer."""

    def read(_command: Any, payload: Payload) -> Outcome:
        if status_of(payload) not in words:
            return refused(payload)
        return Accepted({} if detail is None else detail(payload))

    return read


def is_scheduled(payload: Payload) -> dict[str, Any]:
    """Return whether the station will do it later, when its sessions are over."""
    return {"scheduled": payload.get("status") == "Scheduled"}


plain = accepted_as("Accepted")
