"""Gradient-boosted quantiles of the clear-sky index, learnt from a site's own history.

One model per quantile (pinball loss) over all leads. The target is how the index differs from what persistence expects,
weighted by the clear sky, which is the pinball loss in W; trees so need not learn the course of the sun. P50 learns
from all days, P10 and P90 from all but the newest, on which their band is calibrated.

LightGBM is imported when something is learnt, never before: it takes seconds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.scheduling.forecasting.bands import Calibration, calibrated
from app.scheduling.forecasting.persistence import LARGEST_INDEX_SHARE, LIT_SHARE, Shares, Skies, expected_share
from app.scheduling.forecasting.series import SLOTS_PER_DAY, Powers, Series, Slots

LEAST_DAYS_COUNT = 30
MOST_DAYS_COUNT = 365
HELD_OUT_SHARE = 0.25
MOST_HELD_OUT_DAYS_COUNT = 45
TRAINED_LEADS = np.array([1, 2, 3, 4, 6, 8, 11, 16, 22, 30, 44, 60, 80, 96, 120, 144])
MOST_ROWS_COUNT = 25_000
TREES_COUNT = 120
LEAST_PAIRS_COUNT = 2_000
QUANTILES_SHARE = (0.1, 0.5, 0.9)
SPANS = (1, 2, 4, 8, 24)
DAYS_BACK = (1, 2, 3)

BOOSTING: dict[str, Any] = {
    "objective": "quantile",
    "learning_rate": 0.06,
    "num_leaves": 8,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}

Features = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What there is to learn: issues and leads, their features, clear sky and truth in W; all lit and measured."""

    issues: Slots
    leads: Slots
    features: Features
    clear_w: Powers
    truth_w: Powers

    def chosen(self, is_chosen: NDArray[np.bool_]) -> "Pairs":
        """Return some of them."""
        return Pairs(
            self.issues[is_chosen],
            self.leads[is_chosen],
            self.features[is_chosen],
            self.clear_w[is_chosen],
            self.truth_w[is_chosen],
        )


@dataclass(frozen=True, slots=True)
class LearntSun:
    """What was learnt of a site's sun by slot `learnt_until`."""

    models: tuple[Any, Any, Any]
    calibration: Calibration
    capacity_w: float
    learnt_until: int

    def quantiles_w(
        self, pv: Series, clear: Series, issues: Slots, leads: Slots, *, is_calibrated: bool = True
    ) -> tuple[Powers, Powers, Powers]:
        """Return P10, P50 and P90 of pairs (issue, lead) given side by side; NaN where there is no clear sky."""
        clear_w = clear.powers_w_at(issues + leads - 1)
        features = features_of(pv, clear, self.capacity_w, issues, leads)
        lower_w, middle_w, upper_w = (_predicted(model, features) * clear_w for model in self.models)
        if is_calibrated:
            lower_w = self.calibration.lower_w(lower_w, clear_w, leads)
            upper_w = self.calibration.upper_w(upper_w, clear_w, leads)
        return np.minimum(lower_w, middle_w), middle_w, np.maximum(upper_w, middle_w)


def learn(pv: Series, clear: Series, capacity_w: float, trees_count: int = TREES_COUNT) -> LearntSun | None:
    """Learn from a history and its clear sky; the newest quarter of the days (45 at most) calibrates the band.

    None where too little of it was measured by day. Raises ImportError or OSError where LightGBM cannot be loaded (it
    needs the system's libgomp).
    """
    pairs = pairs_of(pv, clear, capacity_w)
    days_count = min(MOST_DAYS_COUNT, len(pv.powers_w) // SLOTS_PER_DAY)
    held_out_days_count = min(MOST_HELD_OUT_DAYS_COUNT, int(HELD_OUT_SHARE * days_count))
    is_held_out = pairs.issues >= pv.until - held_out_days_count * SLOTS_PER_DAY
    ends_before = pairs.issues + pairs.leads <= pv.until - held_out_days_count * SLOTS_PER_DAY
    if ends_before.sum() < LEAST_PAIRS_COUNT:
        return None
    low, middle, high = (
        _fitted(thinned(pairs if share == 0.5 else pairs.chosen(ends_before)), share, trees_count)  # noqa: PLR2004 - the median
        for share in QUANTILES_SHARE
    )
    unseen = pairs.chosen(is_held_out)
    lower_w, upper_w = (_predicted(model, unseen.features) * unseen.clear_w for model in (low, high))
    calibration = calibrated(lower_w, upper_w, unseen.truth_w, unseen.clear_w, unseen.leads, held_out_days_count)
    return LearntSun((low, middle, high), calibration, capacity_w, pv.until)


def pairs_of(pv: Series, clear: Series, capacity_w: float) -> Pairs:
    """Return every issue of the newest 365 days with every trained lead whose slot is lit and measured."""
    first = max(pv.first, pv.until - MOST_DAYS_COUNT * SLOTS_PER_DAY)
    issues, leads = (side.ravel() for side in np.meshgrid(np.arange(first, pv.until), TRAINED_LEADS, indexing="ij"))
    targets = issues + leads - 1
    clear_w, truth_w = clear.powers_w_at(targets), pv.powers_w_at(targets)
    is_lit = (clear_w > LIT_SHARE * capacity_w) & np.isfinite(truth_w)
    issues, leads, clear_w, truth_w = issues[is_lit], leads[is_lit], clear_w[is_lit], truth_w[is_lit]
    return Pairs(issues, leads, features_of(pv, clear, capacity_w, issues, leads), clear_w, truth_w)


def thinned(pairs: Pairs) -> Pairs:
    """Return at most 25,000 of them, evenly."""
    step = -(-len(pairs.issues) // MOST_ROWS_COUNT)
    return pairs if step <= 1 else pairs.chosen(np.arange(len(pairs.issues)) * 7 % step == 0)


def features_of(pv: Series, clear: Series, capacity_w: float, issues: Slots, leads: Slots) -> Features:
    """Return what is known at the issue about each pair, a row each; NaN where it is not known.

    First what persistence expects; then the clear sky now and at the slot, its change there, recent indices and their
    change, the lead, the time of day, and the index at that time on the days before (the newest that are known).
    """
    skies = Skies(pv, clear, capacity_w)
    targets = issues + leads - 1
    recent = [skies.index_share(issues, count) for count in SPANS]
    days_ahead = -(-leads // SLOTS_PER_DAY)
    around = [skies.index_share(targets + 3 - (days_ahead + back - 1) * SLOTS_PER_DAY, 5) for back in DAYS_BACK]
    clear_w = clear.powers_w_at(targets)
    columns = [
        expected_share(skies, issues, leads),
        clear_w / capacity_w,
        clear.powers_w_at(issues - 1) / capacity_w,
        (clear.powers_w_at(targets + 2) - clear.powers_w_at(targets - 2)) / capacity_w,
        *recent,
        recent[0] - recent[1],
        recent[0] - skies.index_share(issues, 1, behind=1),
        np.abs(skies.index_share(issues, 1, behind=1) - skies.index_share(issues, 1, behind=2)),
        leads.astype(np.float64),
        (targets % SLOTS_PER_DAY).astype(np.float64),
        *around,
        skies.index_share(issues, SLOTS_PER_DAY),
        skies.index_share(issues, 5 * SLOTS_PER_DAY),
        skies.index_share(issues, 20 * SLOTS_PER_DAY),
    ]
    return np.column_stack(columns)


def _fitted(pairs: Pairs, quantile_share: float, trees_count: int) -> Any:
    import lightgbm

    index_share = np.minimum(pairs.truth_w / pairs.clear_w, LARGEST_INDEX_SHARE) - pairs.features[:, 0]
    rows = lightgbm.Dataset(pairs.features, index_share, weight=pairs.clear_w / pairs.clear_w.mean())
    model: Any = lightgbm.train(BOOSTING | {"alpha": quantile_share}, rows, num_boost_round=trees_count)
    return model


def _predicted(model: Any, features: Features) -> Shares:
    if not len(features):
        return np.empty(0)
    differences_share: Shares = model.predict(features, num_threads=1)
    return np.clip(features[:, 0] + differences_share, 0.0, LARGEST_INDEX_SHARE)
