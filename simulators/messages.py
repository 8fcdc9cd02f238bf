"""What a station's state machine and its dialect exchange: transactions, calls to send, faults to answer with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from simulators.evse import Activity, Reading

Payload = dict[str, Any]
MEASURANDS = ("Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage")


class Fault(Exception):
    """Answer a call with an error frame."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(description or code)
        self.code = code
        self.description = description


@dataclass(slots=True)
class Transaction:
    """One transaction at one EVSE. `ref` is what both sides call it: in 1.6 None until the start is answered."""

    evse_number: int
    token: str
    started_s: int
    meter_start_wh: int
    ref: str | None = None
    remote_start_id: int | None = None
    is_remote: bool = False
    reservation_id: int | None = None
    next_seq_no: int = 0

    def take_seq_no(self) -> int:
        """Return the next sequence number of its messages (OCPP 2.0.1 E01.FR.07: they rise by one)."""
        seq_no = self.next_seq_no
        self.next_seq_no += 1
        return seq_no


@dataclass(slots=True)
class Call:
    """A request of ours. `spell` gives the payload at the moment of sending (1.6 learns references late).

    `on_failed(is_offline)` hears of a request that will not be sent again: the line went dead, or it was refused with
    an error frame. Transaction messages (`is_transactional`) are kept and repeated instead, `not_before_s` delays that.
    """

    action: str
    spell: Callable[[], Payload]
    on_answer: Callable[[Payload], None] | None = None
    on_failed: Callable[[bool], None] | None = None
    is_transactional: bool = False
    is_boot: bool = False
    is_asked: bool = False
    attempt_count: int = 0
    not_before_s: int = 0


class Dialect(Protocol):
    """How one OCPP version spells what a station has to say. Pure but for the sequence numbers of transactions.

    `measurands` are sampled while a transaction runs.
    """

    subprotocol: str
    format_violation: str
    measurands: tuple[str, ...]

    def boot(self, identity: str, reason: str, firmware: str) -> Call:
        """BootNotification."""
        ...

    def heartbeat(self) -> Call:
        """Heartbeat."""
        ...

    def authorize(self, token: str) -> Call:
        """Authorize."""
        ...

    def status(self, evse_number: int, activity: Activity, at_s: int) -> Call:
        """StatusNotification (EVSE number 0: the station, 1.6 only)."""
        ...

    def started(self, tx: Transaction, reading: Reading, *, is_offline: bool) -> Call:
        """Begin a transaction."""
        ...

    def moved(self, tx: Transaction, activity: Activity, at_s: int, *, is_offline: bool) -> Call:
        """Report a change of what a running transaction does."""
        ...

    def metered(self, tx: Transaction, reading: Reading, *, is_offline: bool, is_asked: bool) -> Call:
        """Report meter values of a running transaction."""
        ...

    def metered_idle(self, evse_number: int, reading: Reading) -> Call:
        """Report meter values without a transaction, as asked for."""
        ...

    def ended(self, tx: Transaction, reading: Reading, reason: str, *, is_offline: bool) -> Call:
        """End a transaction; `reason` in 1.6's words."""
        ...

    def firmware_status(self, status: str, request_id: int | None) -> Call:
        """Report how a firmware update goes; `status` in 2.0.1's words."""
        ...

    def log_status(self, status: str, request_id: int | None) -> Call:
        """Report how an upload goes; no request id: diagnostics (1.6)."""
        ...

    def sign_certificate(self, csr: str) -> Call:
        """Ask to have the station's key signed."""
        ...

    def reservation_expired(self, reservation_id: int) -> Call | None:
        """Report that nobody used a reservation (2.0.1 only: in 1.6 the connector's status tells)."""
        ...

    def tells_install_reboot(self, is_signed: bool) -> bool:
        """Whether a restart into a new firmware is announced by a status."""
        ...

    def is_accepted(self, answer: Payload) -> bool | None:
        """Whether an answer accepts the presented token; None if it says nothing about it."""
        ...

    def reports_status_when_charging(self) -> bool:
        """Whether the connector's status follows the transaction's activity (1.6) or only the plug (2.0.1)."""
        ...
