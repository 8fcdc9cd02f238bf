"""`sunslot replay`: makes a past plan again from its recorded inputs, here and now, and compares it bit by bit.

Takes the record from a running server's API, or from a file that was saved before; plans with the code that is
installed here. Start reading at `replay`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson

from app.domain.errors import Forbidden, Invalid, NotFound, Unauthenticated
from app.domain.plan import ChargingPlan, ExpectedLine, PlanLine
from app.domain.snapshot import SiteSnapshot
from app.operations import records
from app.scheduling.planner import plan

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
REFUSALS = {401: Unauthenticated, 403: Forbidden, 404: NotFound}
MOST_SLOTS_TOLD_COUNT = 8


@dataclass(frozen=True, slots=True)
class Record:
    """A plan as it was made, from what, and by which code (None: not noted then)."""

    plan_id: str
    planner: str | None
    snapshot: SiteSnapshot
    made: ChargingPlan


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of it: the code's names then and here, and every difference in words (empty: bit by bit the same)."""

    plan_id: str
    recorded_planner: str | None
    local_planner: str
    session_count: int
    slot_count: int
    differences: tuple[str, ...]

    @property
    def is_same_code(self) -> bool:
        """Whether the code that is installed here is the one that made the plan."""
        return self.recorded_planner == self.local_planner


def fetched(url: str, token: str, plan_id: UUID) -> bytes:
    """Return a plan's record from a running server; raises Unauthenticated, Forbidden, NotFound, Invalid."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, trust_env=False) as client:
            answer = client.get(f"/v1/plans/{plan_id}/inputs")
    except httpx.InvalidURL:
        raise Invalid("is not a URL", field="--url") from None
    except httpx.TransportError as broken:
        raise Invalid(f"the server does not answer ({type(broken).__name__}); does it run there?") from broken
    if answer.status_code in REFUSALS:
        raise REFUSALS[answer.status_code]("the server has no such plan, or does not show it to this token")
    if answer.is_error:
        raise Invalid(f"the server refuses it ({answer.status_code})")
    return answer.content


def from_file(path: Path) -> bytes:
    """Return a record that was saved; raises Invalid."""
    try:
        return path.read_bytes()
    except OSError as broken:
        raise Invalid(f"cannot read {path} ({broken.strerror})", field="--file") from broken


def read(text: bytes) -> Record:
    """Return the record that the API gave; raises Invalid."""
    try:
        body = orjson.loads(text)
        return Record(
            plan_id=str(body["plan_id"]),
            planner=body.get("planner"),
            snapshot=records.read_snapshot_json(orjson.dumps(body["inputs"])),
            made=records.read_plan_json(orjson.dumps(body["plan"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise Invalid("this is not the record of a plan") from broken


def replay(record: Record) -> Replay:
    """Make the plan again from its inputs and compare every field, as it would be written."""
    again = plan(record.snapshot, record.made.made_at)
    return Replay(
        plan_id=record.plan_id,
        recorded_planner=record.planner,
        local_planner=records.planner_name(),
        session_count=len(record.made.lines),
        slot_count=len(record.made.slots),
        differences=tuple(differences(record.made, again)),
    )


def report(told: Replay) -> Iterator[str]:
    """Yield what people are told of it, line by line."""
    if told.recorded_planner is None:
        yield f"the plan does not say which code made it; here is {told.local_planner}"
    elif not told.is_same_code:
        yield f"the plan was made by {told.recorded_planner}; here is {told.local_planner}"
    yield from told.differences
    size = f"{told.session_count} sessions × {told.slot_count} slots"
    yield f"identical: {size}" if not told.differences else f"{len(told.differences)} differences in {size}"


def differences(then: ChargingPlan, now: ChargingPlan) -> Iterator[str]:
    """Yield what differs, in words: of the whole plan, then per session and booking, by slot where it is a power."""
    for each in fields(ChargingPlan):
        if each.name in {"lines", "expected"}:
            continue
        before, after = getattr(then, each.name), getattr(now, each.name)
        if before != after:
            yield f"plan: {each.name} was {_short(before)}, is {_short(after)}"
    yield from _of_lines("session", _by_key(then.lines), _by_key(now.lines), then)
    yield from _of_lines("booking", _by_key(then.expected), _by_key(now.expected), then)


def _by_key(lines: Sequence[PlanLine] | Sequence[ExpectedLine]) -> dict[str, PlanLine | ExpectedLine]:
    return {each.session_id if isinstance(each, PlanLine) else each.booking_id: each for each in lines}


def _of_lines(
    kind: str, then: dict[str, PlanLine | ExpectedLine], now: dict[str, PlanLine | ExpectedLine], made: ChargingPlan
) -> Iterator[str]:
    for key in sorted(then.keys() | now.keys()):
        before, after = then.get(key), now.get(key)
        if before is None or after is None:
            yield f"{kind} {key}: is {'missing now' if after is None else 'new'}"
            continue
        for each in fields(before):
            was, becomes = getattr(before, each.name), getattr(after, each.name)
            if was == becomes:
                continue
            if each.name == "power_w" and len(was) == len(becomes):
                yield from _of_slots(f"{kind} {key}", was, becomes, made)
            else:
                yield f"{kind} {key}: {each.name} was {_short(was)}, is {_short(becomes)}"


def _of_slots(what: str, before_w: Sequence[float], after_w: Sequence[float], made: ChargingPlan) -> Iterator[str]:
    odd = [number for number in range(len(before_w)) if before_w[number] != after_w[number]]
    for number in odd[:MOST_SLOTS_TOLD_COUNT]:
        start_at = made.slots[number].start_at.isoformat()
        yield f"{what}: slot {start_at} was {before_w[number]!r} W, is {after_w[number]!r} W"
    if len(odd) > MOST_SLOTS_TOLD_COUNT:
        yield f"{what}: {len(odd) - MOST_SLOTS_TOLD_COUNT} more slots differ"


def _short(value: Any) -> str:
    return f"{len(value)} values" if isinstance(value, tuple) else repr(value)
