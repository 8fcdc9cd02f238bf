"""OCPP 2.0.1: pure translators, and three tables to start with.

`handlers.HANDLERS` says what a station may call (read by `decode`, `reports`, `notices`), `spellings.SPELLINGS` how
each command is said and its answer read (`charging`, `settings`, `monitoring`, `tokens`, `upkeep`), and
`impact.CLASSIFIED` what a raw call may do to charging limits.
"""

from datetime import datetime

from app.domain.commands import Command, Outcome
from app.domain.facts import Recorded
from app.domain.raw import Impact
from app.ocpp_central.dialect import Decoded, Desk, understand
from app.ocpp_central.rpc import Payload, Problem
from app.ocpp_central.schemas import Schemas
from app.ocpp_central.v201 import impact, spellings
from app.ocpp_central.v201.handlers import HANDLERS
from app.ocpp_central.v201.wanted import SETUP

# OCPP 2.0.1 part 4: the answer to a frame without a readable id carries "-1".
ERROR_CODES = {
    Problem.NOT_IMPLEMENTED: "NotImplemented",
    Problem.NOT_SUPPORTED: "NotSupported",
    Problem.FRAME: "RpcFrameworkError",
    Problem.MESSAGE_TYPE: "MessageTypeNotSupported",
    Problem.FORMAT: "FormatViolation",
    Problem.PROPERTY: "PropertyConstraintViolation",
    Problem.OCCURRENCE: "OccurrenceConstraintViolation",
    Problem.TYPE: "TypeConstraintViolation",
    Problem.SECURITY: "SecurityError",
    Problem.INTERNAL: "InternalError",
}

# The boot itself, and what only ever comes because we asked for it: on another connection too, or after a restart
# (OCPP 2.0.1 B02.FR.02, B02.FR.09).
ALWAYS_HEARD = {
    "BootNotification",
    "NotifyDisplayMessages",
    "PublishFirmwareStatusNotification",
    *spellings.SOLICITED.values(),
}


class Ocpp201:
    """See `app.ocpp_central.dialect.Dialect`."""

    subprotocol = "ocpp2.0.1"
    is_subprotocol_optional = False
    wants_deflate = True
    setup = SETUP

    def __init__(self) -> None:
        self.schemas = Schemas("ocpp.v201", "Request")

    def decode(self, action: str, payload: Payload, received_at: datetime) -> Decoded:
        """Return what a station's call says; raises Refusal."""
        return understand(HANDLERS, self.schemas, action, payload, received_at)

    def reply(self, action: str, recorded: Recorded, desk: Desk) -> Payload:
        """Spell the answer."""
        return HANDLERS[action].reply(recorded, desk)

    def encode(self, command: Command) -> tuple[str, Payload]:
        """Return action and payload of a command; raises Unspeakable, Invalid."""
        return spellings.encode(command)

    def decode_outcome(self, command: Command, payload: Payload) -> Outcome:
        """Return how a command ended; raises ValueError."""
        return spellings.decode_outcome(command, payload)

    def classify(self, action: str, payload: Payload) -> Impact | None:
        """Return what a raw call may do to charging limits; None: nobody has classified it."""
        return impact.classify(action, payload)

    def error_code(self, problem: Problem) -> str | None:
        """Spell a problem."""
        return ERROR_CODES.get(problem)

    def is_barred_while_pending(self, action: str) -> bool:
        """OCPP 2.0.1 B01.FR.10 and B02.FR.09."""
        return action not in ALWAYS_HEARD

    def solicited_by(self, command: Command) -> str | None:
        """Return the call that a command makes the station send."""
        return spellings.solicited_by(command)
