"""What one station believes was acknowledged: the other half of the day's ledger."""

from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.clock import stamp
from simulators.messages import Transaction


@dataclass(slots=True)
class TransactionEntry:
    """One transaction whose start was acknowledged; the end is None until that is, too."""

    ref: str
    evse_number: int
    token: str
    started_at: str
    meter_start_wh: int
    ended_at: str | None = None
    meter_stop_wh: int | None = None


@dataclass(slots=True)
class Journal:
    """Acknowledged transactions and periodic register values, and counts of frames."""

    transactions: list[TransactionEntry] = field(default_factory=list)
    registers: list[tuple[int, str, int]] = field(default_factory=list)
    sent_count: int = 0
    acked_count: int = 0
    limits_received_count: int = 0
    limits_accepted_count: int = 0
    defaults_accepted_count: int = 0

    def started(self, tx: Transaction) -> None:
        """The start of a transaction was acknowledged (its `ref` is known)."""
        self.transactions.append(
            TransactionEntry(str(tx.ref), tx.evse_number, tx.token, stamp(tx.started_s), tx.meter_start_wh)
        )

    def ended(self, tx: Transaction, at_s: int, register_wh: int) -> None:
        """The end of a transaction was acknowledged."""
        for entry in reversed(self.transactions):
            if entry.ref == tx.ref:
                entry.ended_at, entry.meter_stop_wh = stamp(at_s), register_wh
                return

    def metered(self, evse_number: int, at_s: int, register_wh: int) -> None:
        """A periodic register value was acknowledged."""
        self.registers.append((evse_number, stamp(at_s), register_wh))

    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "transactions": [asdict(entry) for entry in self.transactions],
            "registers": [list(entry) for entry in self.registers],
        }
