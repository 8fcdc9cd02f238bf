"""What a station still has to send: requests die with the line, transaction messages wait for the next one.

OCPP 1.6 §3.7 and OCPP 2.0.1 E04: transaction messages are kept in order while offline and repeated a few times when the
central system answers with an error, then discarded (and counted).
"""

from collections import deque

from simulators.messages import Call

CAPACITY = 4000


class Outbox:
    """One station's queue, in order. When full, the oldest message that may be lost goes first.

    `attempt_limit` and `retry_interval_s` are TransactionMessageAttempts and TransactionMessageRetryInterval.
    """

    def __init__(self, attempt_limit: int = 3, retry_interval_s: int = 60) -> None:
        self.attempt_limit = attempt_limit
        self.retry_interval_s = retry_interval_s
        self.lost_count = 0
        self._calls: deque[Call] = deque()

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def pending_count(self) -> int:
        """How many transaction messages are not acknowledged yet."""
        return sum(call.is_transactional for call in self._calls)

    def push(self, call: Call) -> None:
        """Queue a call."""
        if len(self._calls) >= CAPACITY:
            dropped = next((held for held in self._calls if not held.is_transactional), self._calls[0])
            self._calls.remove(dropped)
            self.lost_count += dropped.is_transactional
        self._calls.append(call)

    def next(self, now_s: int, is_accepted: bool) -> Call | None:
        """Return what to send now, without removing it; before acceptance only boots and what was asked for."""
        is_blocked = False
        for call in self._calls:
            if not is_accepted and not call.is_boot and not call.is_asked:
                continue
            if not call.is_transactional:
                return call
            if is_blocked or call.not_before_s > now_s:
                is_blocked = True
                continue
            return call
        return None

    def done(self, call: Call) -> None:
        """Remove an acknowledged call."""
        self._calls.remove(call)

    def refused(self, call: Call, now_s: int) -> int | None:
        """Take note of an error frame; return when to try again (business seconds), None if it is given up."""
        call.attempt_count += 1
        if call.is_transactional and call.attempt_count < self.attempt_limit:
            call.not_before_s = now_s + self.retry_interval_s * call.attempt_count
            return call.not_before_s
        self._calls.remove(call)
        self.lost_count += call.is_transactional
        if call.on_failed is not None:
            call.on_failed(False)
        return None

    def line_lost(self) -> None:
        """Drop the requests that make sense only on the line that is gone."""
        dropped = [call for call in self._calls if not call.is_transactional]
        self._calls = deque(call for call in self._calls if call.is_transactional)
        for call in dropped:
            if call.on_failed is not None:
                call.on_failed(True)
