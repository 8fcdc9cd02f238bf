"""What a dialect is: pure translations between OCPP's words and facts, commands and outcomes.

`Dialect` is the protocol that `v16` and `v201` implement; the rest is what their routing tables are made of.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case

from app.domain.commands import Command, Outcome
from app.domain.facts import Fact, Recorded, StationSeen, Suspicious
from app.domain.raw import Impact
from app.ocpp_central.repair import mend
from app.ocpp_central.rpc import Payload, Problem, Refusal
from app.ocpp_central.schemas import Schemas
from app.ocpp_central.wanted import Setup

LONGEST_PAYLOAD_COUNT = 4000


class Unspeakable(Exception):
    """The version has no words for a command; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What answers need besides the recorded facts: our time, and the heartbeat interval that we ask for."""

    now: datetime
    heartbeat_interval_s: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """A station's call as facts, and how often which repair was needed to read it."""

    facts: tuple[Fact, ...]
    repairs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """What a handler's decoder works with: the payload (valid, or mended as far as it goes) and when it came."""

    action: str
    payload: Payload
    received_at: datetime
    repairs: Counter[str]

    def suspicious(self, reason: str) -> Suspicious:
        """Return a note about this message for the quarantine."""
        text = orjson.dumps(self.payload).decode()[:LONGEST_PAYLOAD_COUNT]
        return Suspicious(self.received_at, self.received_at, self.action, reason, text)


@dataclass(frozen=True, slots=True)
class Handler:
    """One line of a routing table.

    `decode` returns facts, and raises Refusal only where the message cannot be answered without its missing parts.
    `reply` spells the answer. A lenient handler reads schema-invalid messages after repairs instead of refusing them.
    `note` says what gets lost or is made up on the way; empty: nothing. It stands in `docs/ocpp-coverage.md`.
    """

    decode: Callable[[Message], tuple[Fact, ...]]
    reply: Callable[[Recorded, Desk], Payload]
    is_lenient: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Spelling:
    """One line of a table of commands: how a version says one, and what the answer means.

    `say` returns one of the `ocpp` package's call dataclasses, whose class name is one of `actions`; it raises Invalid,
    or Unspeakable for what this version cannot say of the command. `read` returns the outcome from the command and the
    answer; it raises ValueError where the answer says nothing. `note` is as a handler's: lossy or synthesised, and how.
    """

    actions: tuple[str, ...]
    say: Callable[[Any], Any]
    read: Callable[[Any, Payload], Outcome]
    note: str = ""


class Dialect(Protocol):
    """One OCPP version. Everything is pure.

    `is_subprotocol_optional`: a station provisioned for it may offer no subprotocol; `wants_deflate`: its standard asks
    the central system for permessage-deflate; `setup`: how stations are read and set.
    """

    subprotocol: str
    is_subprotocol_optional: bool
    wants_deflate: bool
    schemas: Schemas
    setup: Setup

    def decode(self, action: str, payload: Payload, received_at: datetime) -> Decoded:
        """Return what a station's call says; raises Refusal where it is answered with CALLERROR."""
        ...

    def reply(self, action: str, recorded: Recorded, desk: Desk) -> Payload:
        """Spell the answer to a call that `decode` has read."""
        ...

    def encode(self, command: Command) -> tuple[str, Payload]:
        """Return the action and payload of a command.

        Raises Unspeakable where the version has no words for it, Invalid where its content cannot be said.
        """
        ...

    def decode_outcome(self, command: Command, payload: Payload) -> Outcome:
        """Return how a command ended; raises ValueError where the answer says nothing."""
        ...

    def classify(self, action: str, payload: Payload) -> Impact | None:
        """Return what a raw call (valid by the schema) may do to charging limits; None: nobody has classified it."""
        ...

    def error_code(self, problem: Problem) -> str | None:
        """Spell a problem; None where the version keeps silent."""
        ...

    def is_barred_while_pending(self, action: str) -> bool:
        """Whether an unasked call is answered with SecurityError before the boot is accepted (OCPP 2.0.1 B01.FR.10)."""
        ...

    def solicited_by(self, command: Command) -> str | None:
        """Return the call that a command makes the station send."""
        ...


def understand(
    handlers: Mapping[str, Handler], schemas: Schemas, action: str, payload: Payload, received_at: datetime
) -> Decoded:
    """Decode a call by a routing table: strict first, then repairs where the handler is lenient. Raises Refusal."""
    handler = handlers.get(action)
    if handler is None:
        if schemas.knows(action):
            raise Refusal(Problem.NOT_SUPPORTED, f"{action} is not supported")
        raise Refusal(Problem.NOT_IMPLEMENTED, "the action is not known")
    faults = schemas.request_faults(action, payload)
    repairs: Counter[str] = Counter()
    if faults and not handler.is_lenient:
        raise Refusal(faults[0].problem, faults[0].detail)
    if faults:
        payload, repairs = mend(payload, lambda mended: schemas.request_faults(action, mended))
        if left := schemas.request_faults(action, payload):
            repairs.update(f"tolerated_{fault.keyword}" for fault in left)
    try:
        facts = handler.decode(Message(action, payload, received_at, repairs))
    except Refusal:
        if faults:
            raise Refusal(faults[0].problem, faults[0].detail) from None
        raise
    return Decoded(facts, dict(repairs))


def seen(message: Message) -> tuple[Fact, ...]:
    """Decode a call that says nothing to us but that the station is there."""
    return (StationSeen(message.received_at, message.received_at),)


def acknowledged(status: str | None = None) -> Handler:
    """Return the handler of a call that is only acknowledged, with this status if its answer has one."""
    answer: Payload = {} if status is None else {"status": status}
    return Handler(seen, lambda _recorded, _desk: dict(answer))


def spelled(message: Any) -> Payload:
    """Return the payload of one of the `ocpp` package's dataclasses: camelCase, without what is not set."""
    payload: Payload = orjson.loads(orjson.dumps(snake_to_camel_case(remove_nones(serialize_as_dict(message)))))
    return payload


def text_of(holder: Any, key: str, longest_count: int = 255) -> str | None:
    """Return a text of an object, shortened; None where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value[:longest_count] if isinstance(value, str) and value else None


def whole_of(holder: Any, key: str) -> int | None:
    """Return a whole number of an object; None where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if type(value) is int else None


def list_of(holder: Any, key: str) -> list[Any]:
    """Return a list of an object; empty where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, list) else []


def dict_of(holder: Any, key: str) -> Payload:
    """Return an object inside an object; empty where there is none."""
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}
