"""OCPP 1.6J with its security whitepaper: pure translators between its words and facts, commands and outcomes.

Start with the tables: `handlers` (what a station may call), `spellings` (what we tell it) and `impact` (what a raw call
may do). `decode` and `reports` read calls; `encode`, `upkeep` and `certificates` spell commands; `wanted` says what a
station should be set to.
"""

from datetime import datetime

from app.domain.commands import Command, Outcome
from app.domain.facts import Recorded
from app.domain.raw import Impact
from app.ocpp_central.dialect import Decoded, Desk, understand
from app.ocpp_central.rpc import Payload, Problem
from app.ocpp_central.schemas import Schemas
from app.ocpp_central.v16 import impact, spellings
from app.ocpp_central.v16.handlers import HANDLERS
from app.ocpp_central.v16.wanted import SETUP

# OCPP 1.6J §4.2.3, with its misspelt codes. Frames without a readable id or of an unknown type are ignored (§4.1.3).
ERROR_CODES = {
    Problem.NOT_IMPLEMENTED: "NotImplemented",
    Problem.NOT_SUPPORTED: "NotSupported",
    Problem.FORMAT: "FormationViolation",
    Problem.PROPERTY: "PropertyConstraintViolation",
    Problem.OCCURRENCE: "OccurenceConstraintViolation",
    Problem.TYPE: "TypeConstraintViolation",
    Problem.SECURITY: "SecurityError",
    Problem.INTERNAL: "InternalError",
}


class Ocpp16:
    """See `app.ocpp_central.dialect.Dialect`."""

    subprotocol = "ocpp1.6"
    is_subprotocol_optional = True
    wants_deflate = False
    setup = SETUP

    def __init__(self) -> None:
        self.schemas = Schemas("ocpp.v16", "")

    def decode(self, action: str, payload: Payload, received_at: datetime) -> Decoded:
        """Return what a station's call says; raises Refusal."""
        return understand(HANDLERS, self.schemas, action, payload, received_at)

    def reply(self, action: str, recorded: Recorded, desk: Desk) -> Payload:
        """Spell the answer."""
        return HANDLERS[action].reply(recorded, desk)

    def encode(self, command: Command) -> tuple[str, Payload]:
        """Return action and payload of a command; raises Unspeakable, Invalid."""
        return spellings.encode_command(command)

    def decode_outcome(self, command: Command, payload: Payload) -> Outcome:
        """Return how a command ended; raises ValueError."""
        return spellings.decode_outcome(command, payload)

    def classify(self, action: str, payload: Payload) -> Impact | None:
        """Return what a raw call may do to charging limits; None: nobody has classified it."""
        return impact.classify(action, payload)

    def error_code(self, problem: Problem) -> str | None:
        """Spell a problem; None is silence."""
        return ERROR_CODES.get(problem)

    def is_barred_while_pending(self, action: str) -> bool:  # noqa: ARG002 - the protocol's
        """OCPP 1.6 §4.2 only forbids the station to send; what it sends is answered."""
        return False

    def solicited_by(self, command: Command) -> str | None:
        """Return the call that a command makes the station send."""
        return spellings.solicited_by(command)
