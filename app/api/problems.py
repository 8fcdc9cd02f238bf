"""Every error as `application/problem+json` (RFC 9457): one table from stable codes to HTTP statuses."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from app.api.body_limit import BodyLimit
from app.domain.errors import BookingRefused, CommandRefused, StationFault, SunslotError
from app.domain.units import kw_from_w

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
NAME_ITSELF = "[key]"

STATUSES: Mapping[str, HTTPStatus] = {
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    "not_found": HTTPStatus.NOT_FOUND,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "conflict": HTTPStatus.CONFLICT,
    "idempotency_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    "booking_refused": HTTPStatus.CONFLICT,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "station_offline": HTTPStatus.CONFLICT,
    "station_timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "station_fault": HTTPStatus.BAD_GATEWAY,
    "command_refused": HTTPStatus.FORBIDDEN,
    "database_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "fenced": HTTPStatus.SERVICE_UNAVAILABLE,
}
TITLES: Mapping[str, str] = {
    "internal": "Something is broken on our side",
    "not_found": "Not found",
    "invalid": "The input cannot be meant",
    "conflict": "Contradicts what is stored",
    "idempotency_mismatch": "The idempotency key was used for another request",
    "booking_refused": "The booking cannot be had",
    "unauthenticated": "Credentials are missing or wrong",
    "forbidden": "The role does not allow this",
    "station_offline": "The station is not connected",
    "station_timeout": "The station did not answer in time",
    "station_fault": "The station answered with an error",
    "command_refused": "The command was not sent",
    "database_unavailable": "The database is not available",
    "fenced": "Another process leads the site",
}
HEADERS: Mapping[str, Mapping[str, str]] = {
    "unauthenticated": {"WWW-Authenticate": "Bearer"},
    "database_unavailable": {"Retry-After": str(RETRY_AFTER_S)},
    "fenced": {"Retry-After": str(RETRY_AFTER_S)},
}
WORDS: Mapping[str, str] = {
    "missing": "is needed",
    "extra_forbidden": "is not a known field",
    "finite_number": "must be a finite number",
    "timezone_aware": "must carry a UTC offset",
}


class FieldProblem(BaseModel):
    """A field of the request (`evses[0].phase_count` for nested ones) and what is wrong with it."""

    field: str
    reason: str


class Problem(BaseModel):
    """RFC 9457. `code` is stable and for programs, `detail` for people; `errors` names the fields that are wrong."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldProblem] | None = None


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    extension: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return the response that tells about a problem."""
    body: dict[str, Any] = {
        "type": f"urn:sunslot:problem:{code}",
        "title": title,
        "status": int(status),
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(
        body | jsonable_encoder(extension or {}), int(status), dict(headers or {}), media_type=MEDIA_TYPE
    )


def install_problems(app: FastAPI) -> None:
    """Answer every error with a problem document, also the router's own, too large bodies and unexpected ones."""
    app.add_middleware(BodyLimit)
    app.add_exception_handler(SunslotError, _domain_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(Exception, _unexpected_problem)


async def _domain_problem(_: Request, broken: Exception) -> JSONResponse:
    assert isinstance(broken, SunslotError)  # noqa: S101 - registered for this class
    code = broken.code
    detail = f"{broken.field}: {broken.detail}" if broken.field else broken.detail
    return problem(
        STATUSES[code],
        code,
        TITLES[code],
        detail,
        headers=HEADERS.get(code),
        errors=[{"field": field, "reason": reason} for field, reason in broken.wrong],
        extension=_extension(broken),
    )


def _extension(broken: SunslotError) -> Mapping[str, Any] | None:
    match broken:
        case BookingRefused():
            return {"alternatives": broken.alternatives}
        case StationFault() if broken.error_code:
            return {"error_code": broken.error_code, "error_description": broken.error_description}
        case CommandRefused() if broken.missing_w is not None:
            return {"missing_kw": kw_from_w(broken.missing_w)}
        case _:
            return None


async def _validation_problem(_: Request, broken: Exception) -> JSONResponse:
    assert isinstance(broken, RequestValidationError)  # noqa: S101 - registered for this class
    errors = [{"field": field_of(error["loc"]), "reason": reason_of(error)} for error in broken.errors()]
    detail = "; ".join(f"{error['field']}: {error['reason']}" for error in errors[:5])
    return problem(STATUSES["invalid"], "invalid", TITLES["invalid"], detail, errors=errors)


async def _http_problem(request: Request, broken: Exception) -> JSONResponse:
    assert isinstance(broken, HTTPException)  # noqa: S101 - registered for this class
    status = HTTPStatus(broken.status_code)
    detail = {
        HTTPStatus.NOT_FOUND: "there is nothing at this path",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here",
    }.get(status, str(broken.detail))
    return problem(status, status.name.lower(), status.phrase, detail, headers=broken.headers)


async def _unexpected_problem(request: Request, broken: Exception) -> JSONResponse:
    log.error("request_failed", method=request.method, path=request.url.path, exc_info=broken)
    return problem(STATUSES["internal"], "internal", TITLES["internal"], "the request failed; the failure was logged")


def field_of(loc: Iterable[str | int]) -> str:
    """Return `evses[0].phase_count` for `("body", "evses", 0, "phase_count")`; `body` for the body as a whole.

    A name that is wrong itself is named as what it would be the name of.
    """
    where, *parts = loc
    name = ""
    for part in (each for each in parts if each != NAME_ITSELF):
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return str(where) if not name or name.startswith("[") else name


def reason_of(error: Mapping[str, Any]) -> str:
    """Return why a field was refused, in words that never repeat its value."""
    kind = str(error["type"])
    if kind == "json_invalid":
        return "is not valid JSON"
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    return WORDS.get(kind, str(error["msg"]))


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI responses for these codes; those that any route can answer are always among them."""
    always = ("unauthenticated", "forbidden", "invalid", "database_unavailable")
    statuses: dict[int, list[str]] = {}
    for code in (*always, *codes):
        statuses.setdefault(int(STATUSES[code]), []).append(TITLES[code])
    return {status: {"model": Problem, "description": "; ".join(titles)} for status, titles in statuses.items()}
