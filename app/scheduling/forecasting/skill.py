"""How good forecasts were: mean absolute errors by lead beside persistence at those instants, and the band's hits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.scheduling.forecasting.persistence import LIT_SHARE, persistence_w
from app.scheduling.forecasting.series import Powers, Series

LEADS = (1, 4, 8, 16)  # the slot that begins with the issue, and those that end an hour, two and four after it


@dataclass(frozen=True, slots=True)
class Told:
    """What one forecast said in slot `issue` of the slot `lead` − 1 later, in W; a band where it gave one."""

    method: str
    issue: int
    lead: int
    p50_w: float
    p10_w: float | None = None
    p90_w: float | None = None


@dataclass(frozen=True, slots=True)
class Skill:
    """One method at one lead, over `count` measured slots by day.

    `error_share` and `reference_error_share` are mean absolute errors over the capacity, of the forecasts and of
    persistence; `covered_share` is how many of the `banded_count` bands held the truth (None without any).
    """

    method: str
    lead: int
    count: int
    error_share: float
    reference_error_share: float
    banded_count: int
    covered_share: float | None


def skills(told: Sequence[Told], pv: Series, clear: Series, capacity_w: float) -> tuple[Skill, ...]:
    """Return the skill by method and lead, over the slots that are lit, measured, and within reach of persistence.

    Persistence is computed from `pv` before each issue only; `clear` must be what was known of the clear sky then.
    """
    groups: dict[tuple[str, int], list[Told]] = {}
    for each in told:
        groups.setdefault((each.method, each.lead), []).append(each)
    found = (_skill(method, lead, group, (pv, clear, capacity_w)) for (method, lead), group in sorted(groups.items()))
    return tuple(skill for skill in found if skill is not None)


def _skill(method: str, lead: int, group: Sequence[Told], known: tuple[Series, Series, float]) -> Skill | None:
    pv, clear, capacity_w = known
    issues = np.array([each.issue for each in group], dtype=np.int64)
    targets = issues + lead - 1
    truth_w, clear_w = pv.powers_w_at(targets), clear.powers_w_at(targets)
    reference_w = persistence_w(pv, clear, capacity_w, issues, np.full(len(issues), lead))
    is_pair = np.isfinite(truth_w) & np.isfinite(reference_w) & (clear_w > LIT_SHARE * capacity_w)
    if not is_pair.any():
        return None
    columns = _columns(group)
    error_w = np.abs(columns["p50"] - truth_w)[is_pair].mean()
    reference_error_w = np.abs(reference_w - truth_w)[is_pair].mean()
    is_banded = is_pair & np.isfinite(columns["p10"]) & np.isfinite(columns["p90"])
    is_covered = (columns["p10"] <= truth_w) & (truth_w <= columns["p90"])
    return Skill(
        method=method,
        lead=lead,
        count=int(is_pair.sum()),
        error_share=float(error_w / capacity_w),
        reference_error_share=float(reference_error_w / capacity_w),
        banded_count=int(is_banded.sum()),
        covered_share=float(is_covered[is_banded].mean()) if is_banded.any() else None,
    )


def _columns(group: Sequence[Told]) -> Mapping[str, Powers]:
    def column(values_w: Sequence[float | None]) -> Powers:
        return np.array([np.nan if value_w is None else value_w for value_w in values_w])

    return {
        "p10": column([each.p10_w for each in group]),
        "p50": column([each.p50_w for each in group]),
        "p90": column([each.p90_w for each in group]),
    }
