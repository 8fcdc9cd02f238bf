"""The network: one socket per station, in order while it lives, slow, stuck and cut as the faults say."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from app.domain.commands import Outcome
from proofs.agenda import Agenda
from proofs.chargers import Call, Charger
from proofs.faults import Faults

CALL_TIMEOUT_S = 30.0
FAST_S, SLOW_S = (0.02, 0.3), (31.0, 90.0)

Answered = Callable[[Outcome], None]


@dataclass(slots=True)
class Line:
    """A socket between a station and a process. What is written arrives in order; answers may overtake each other.

    Cut, what was on the way still arrives at the station or is lost, but its answers never come back. Once the station
    has called again nothing of the old line is read any more, but for what a frozen station has received already.
    """

    charger: Charger
    agenda: Agenda
    rng: random.Random
    faults: Faults
    is_up: bool = True
    is_abandoned: bool = False
    stuck_until_s: float = 0.0
    _arrives_s: float = field(default=0.0)

    def send(self, call: Call, answered: Answered) -> None:
        """Write a call; `answered` is called with the station's answer if one comes back over this line."""
        self.agenda.counts["calls"] += 1
        if self.rng.random() < self.faults.lost_call_share:
            self.agenda.note("call lost", self.charger.station_id, call)
            return
        delay_s = self._delay_s(self.faults.slow_call_share, "call slow")
        self._arrives_s = max(self._arrives_s, self.agenda.now_s + delay_s, self.stuck_until_s)
        self.agenda.at(self._arrives_s, lambda: self._arrive(call, answered))

    def cut(self) -> None:
        """Hang up."""
        self.is_up = False

    def stick(self, until_s: float) -> None:
        """Let nothing through until then."""
        self.stuck_until_s = max(self.stuck_until_s, until_s)

    def _delay_s(self, slow_share: float, kind: str) -> float:
        if self.rng.random() < slow_share:
            self.agenda.note(kind, self.charger.station_id)
            return self.rng.uniform(*SLOW_S)
        return self.rng.uniform(*FAST_S)

    def _arrive(self, call: Call, answered: Answered) -> None:
        if self.is_abandoned or (not self.is_up and self.rng.choice([True, False])):
            self.agenda.note("call lost with its line", self.charger.station_id)
        elif self.stuck_until_s > self.agenda.now_s:
            self._arrives_s = self.stuck_until_s
            self.agenda.at(self._arrives_s, lambda: self._arrive(call, answered))
        else:
            self._process(call, answered)

    def _process(self, call: Call, answered: Answered) -> None:
        now_s = self.agenda.now_s
        if self.charger.frozen_until_s > now_s:
            self._arrives_s = max(self._arrives_s, self.charger.frozen_until_s)
            self.agenda.at(self._arrives_s, lambda: self._process(call, answered))
            return
        outcome = self.charger.answer(call)
        if self.rng.random() < self.faults.lost_answer_share:
            self.agenda.note("answer lost", self.charger.station_id, call)
            return
        delay_s = self._delay_s(self.faults.late_answer_share, "answer late")
        self.agenda.at(max(now_s + delay_s, self.stuck_until_s), lambda: self._answer(outcome, answered))

    def _answer(self, outcome: Outcome, answered: Answered) -> None:
        if not self.is_up:
            self.agenda.note("answer lost with its line", self.charger.station_id)
        elif self.stuck_until_s > self.agenda.now_s:
            self.agenda.at(self.stuck_until_s, lambda: self._answer(outcome, answered))
        else:
            answered(outcome)
