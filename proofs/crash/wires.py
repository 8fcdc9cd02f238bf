"""What flows in the wires, ten times a second: every EVSE's current added up the tree as phasors, and its 10-s means.

It takes the currents as they are and the ratings of the nodes; of limits, orders and the controller it knows nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proofs.crash.site import CONNECTION, RATED_A, SAFE_A, SUPPLY, SURPRISED_COUNT, VOLTAGE_V, Ground
from simulators.feeders import ANGLES_DEGREES, TOLERANCE_A, phasors_of

STEP_S = 0.1
WINDOW_STEPS = 100
NEAR_SHARE = 0.97
TOLERANCE_W = 1.0
SITE = "site"

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(slots=True)
class Violation:
    """One stretch during which a 10-second mean was above a rating; `conductor` W: the power of the whole site."""

    node: str
    conductor: str
    began_s: float
    duration_s: float
    peak: float
    rating: float

    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {name: round(value, 2) if isinstance(value, float) else value for name, value in asdict(self).items()}


class Wires:
    """The conductors of a site. Rows: every node's line conductors in A, then the site's power in W."""

    def __init__(self, ground: Ground) -> None:
        lines = tuple(ANGLES_DEGREES[SUPPLY])
        self.names = [(node.feeder_id, line) for node in ground.nodes for line in lines] + [(SITE, "W")]
        self.ratings: Floats = np.array([node.rating_a for node in ground.nodes for _ in lines] + [ground.limit_w])
        numbers = {name: number for number, name in enumerate(self.names)}
        self._of_evses = np.zeros((len(self.names) - 1, len(ground.spots)), dtype=np.complex128)
        for column, spot in enumerate(ground.spots):
            for feeder_id in ground.path(spot.feeder_id):
                for line, phasor in phasors_of(SUPPLY, spot.wiring).items():
                    self._of_evses[numbers[feeder_id, line], column] += phasor
        self._of_loads = np.zeros((len(self.names) - 1, len(ground.nodes)), dtype=np.complex128)
        for column, node in enumerate(ground.nodes):
            for wiring in node.load_wirings:
                for feeder_id in ground.path(node.feeder_id):
                    for line, phasor in phasors_of(SUPPLY, wiring).items():
                        self._of_loads[numbers[feeder_id, line], column] += phasor
        surprise_a = SURPRISED_COUNT * (RATED_A - SAFE_A)
        self._usual: Floats = self.ratings - surprise_a
        self._usual[-1] = self.ratings[-1] - surprise_a * VOLTAGE_V
        self._ring: Floats = np.zeros((WINDOW_STEPS, len(self.names)))
        self._step_count = 0
        tolerances = np.full(len(self.names), TOLERANCE_A)
        tolerances[-1] = TOLERANCE_W
        self._over = self.ratings + tolerances
        self.now: Floats = np.zeros(len(self.names))
        self.means: Floats = np.zeros(len(self.names))
        self.peaks: Floats = np.zeros(len(self.names))
        self.near_steps = np.zeros(len(self.names), dtype=np.int64)
        self.usual_steps = np.zeros(len(self.names), dtype=np.int64)
        self.any_usual_steps = 0
        self.violations: list[Violation] = []
        self._running: dict[int, Violation] = {}

    @property
    def measured_s(self) -> float:
        """For how long it has measured."""
        return self._step_count * STEP_S

    def fullest(self) -> str:
        """Return the feeder with the fullest conductor now."""
        feeders = [row for row, (node, _) in enumerate(self.names) if node not in {CONNECTION, SITE}]
        return self.names[max(feeders, key=lambda row: self.means[row] / self.ratings[row])][0]

    def step(self, at_s: float, evses_a: Floats, loads_a: Floats, building_w: float) -> Sequence[Violation]:
        """Measure a tenth of a second that ends at `at_s`; return the violations that begin with it."""
        currents = np.abs(self._of_evses @ evses_a + self._of_loads @ loads_a)
        self.now = np.append(currents, evses_a.sum() * VOLTAGE_V + building_w)
        self._ring[self._step_count % WINDOW_STEPS] = self.now
        self._step_count += 1
        if self._step_count < WINDOW_STEPS:
            return ()
        self.means = self._ring.mean(axis=0)
        self.peaks = np.maximum(self.peaks, self.means)
        near = self.means >= NEAR_SHARE * self.ratings
        self.near_steps += near
        usual = self.means >= NEAR_SHARE * self._usual
        self.usual_steps += usual
        self.any_usual_steps += bool(usual.any())
        return self._judge(at_s)

    def loads(self, loads_a: Floats) -> dict[tuple[str, str], float]:
        """Return what uncontrolled loads draw in each conductor, as a meter without the cars shows it."""
        return dict(zip(self.names, np.abs(self._of_loads @ loads_a).tolist(), strict=False))

    def currents(self) -> dict[tuple[str, str], float]:
        """Return every conductor's 10-second mean."""
        return dict(zip(self.names[:-1], self.means[:-1].tolist(), strict=True))

    def _judge(self, at_s: float) -> list[Violation]:
        over = {int(row) for row in np.flatnonzero(self.means > self._over)}
        for row in [row for row in self._running if row not in over]:
            del self._running[row]
        begun = []
        for row in sorted(over):
            mean = float(self.means[row])
            if row not in self._running:
                node, conductor = self.names[row]
                self._running[row] = Violation(node, conductor, at_s, 0.0, mean, float(self.ratings[row]))
                self.violations.append(self._running[row])
                begun.append(self._running[row])
            running = self._running[row]
            running.duration_s, running.peak = running.duration_s + STEP_S, max(running.peak, mean)
        return begun

    def told(self) -> list[dict[str, Any]]:
        """Return per row its rating, its highest 10-second mean, and for how long it was near, as JSON values.

        `usual` is what the rating leaves for all while nobody surprises.
        """
        return [
            {
                "node": node,
                "conductor": conductor,
                "rating": round(float(self.ratings[row]), 1),
                "peak": round(float(self.peaks[row]), 2),
                "near_minutes": round(float(self.near_steps[row]) * STEP_S / 60, 2),
                "usual_minutes": round(float(self.usual_steps[row]) * STEP_S / 60, 2),
            }
            for row, (node, conductor) in enumerate(self.names)
        ]
