"""CPU per call, decode → validate → facts → answer, without database and sockets: Sunslot beside the `ocpp` package.

Sunslot runs what its session runs: `parse`, the dialect's `decode` and `reply`, the schema check of the answer,
`result_text`. The peer runs its `route_message` with a handler that builds the same facts, caches warm, logging at
WARNING: once with its defaults (validation in an executor) and once without that. Rounds of the three alternate in one
process; CPU is that of the whole process (so the executor's thread counts); the ratio is the median over the rounds of
the faster peer mode to Sunslot.
"""

import asyncio
import dataclasses
import json
import logging
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from ocpp import messages

from app.domain.facts import Fact, Recorded
from app.ocpp_central.dialect import Desk, Dialect
from app.ocpp_central.rpc import Call, parse, result_text
from app.ocpp_central.v16 import Ocpp16
from app.ocpp_central.v201 import Ocpp201
from benchmarks.frame_log import NoDatabase
from benchmarks.ocpp_parts.frames import call_text, meter_values, transaction_event
from benchmarks.ocpp_parts.peer import Central16, Central201
from benchmarks.ocpp_parts.tables import Result, Table

NOW = datetime(2026, 4, 1, tzinfo=UTC)
CALLS_A_ROUND = 100
RECORDED, DESK = Recorded(), Desk(NOW, 300)
NAMES = {"MeterValues": "1.6 MeterValues, 10 samples", "TransactionEvent": "2.0.1 TransactionEvent Updated, 10 samples"}

Case = tuple[Dialect, Any, str, str]  # dialect, peer, action, frame


def cases() -> list[Case]:
    """Return what is measured."""
    old, new = meter_values(77, 12_345.0), transaction_event("Updated", "a1b2", 4, register_wh=12_345.0)
    return [
        (Ocpp16(), Central16(NOW), "MeterValues", call_text("id-1", "MeterValues", old)),
        (Ocpp201(), Central201(NOW), "TransactionEvent", call_text("id-1", "TransactionEvent", new)),
    ]


def answered(dialect: Dialect, frame: str) -> tuple[tuple[Fact, ...], str]:
    """Return the facts and the answer of a call: the production path."""
    call = parse(frame)
    if not isinstance(call, Call):
        raise TypeError("the frame is malformed")
    decoded = dialect.decode(call.action, call.payload, NOW)
    answer = dialect.reply(call.action, RECORDED, DESK)
    if dialect.schemas.response_faults(call.action, answer):
        raise ValueError("the answer is invalid")
    return decoded.facts, result_text(call.message_id, answer)


async def _ours(dialect: Dialect, frame: str) -> None:
    answered(dialect, frame)


async def _same(case: Case) -> None:
    """Raise AssertionError unless both sides say the same facts and the same answer."""
    dialect, peer, _, frame = case
    facts, answer = answered(dialect, frame)
    await peer.route_message(frame)
    if _plain(facts) != _plain(peer.facts) or json.loads(answer) != json.loads(peer._connection.answer):
        raise AssertionError(f"the two sides differ: {facts} {peer.facts}")


def _plain(facts: tuple[Fact, ...]) -> list[dict[str, Any]]:
    return [{**dataclasses.asdict(fact), "business_key": None, "kind": type(fact).__name__} for fact in facts]


async def _cpu_us(work: Callable[[], Awaitable[None]], count: int = CALLS_A_ROUND) -> float:
    began_s = time.process_time()
    for _ in range(count):
        await work()
    return (time.process_time() - began_s) / count * 1e6


async def _measure(case: Case, rounds: int) -> dict[str, Any]:
    dialect, peer, action, frame = case
    await _same(case)
    sides: dict[str, list[float]] = {"sunslot": [], "peer_default": [], "peer_without_async": []}
    try:
        for _ in range(rounds + 1):
            sides["sunslot"].append(await _cpu_us(lambda: _ours(dialect, frame), 5 * CALLS_A_ROUND))
            messages.ASYNC_VALIDATION = True
            sides["peer_default"].append(await _cpu_us(lambda: peer.route_message(frame)))
            messages.ASYNC_VALIDATION = False
            sides["peer_without_async"].append(await _cpu_us(lambda: peer.route_message(frame)))
    finally:
        messages.ASYNC_VALIDATION = True
    rows = {name: values[1:] for name, values in sides.items()}  # the first round warms up
    ratios = [
        min(default, plain) / ours
        for ours, default, plain in zip(rows["sunslot"], rows["peer_default"], rows["peer_without_async"], strict=True)
    ]
    result: dict[str, Any] = {"case": NAMES[action], "rounds": rounds}
    for name, values in rows.items():
        result[f"{name}_us"] = round(statistics.median(values), 1)
        result[f"{name}_spread_us"] = [round(min(values), 1), round(max(values), 1)]
    result["ratio"] = round(statistics.median(ratios), 1)
    result["ratio_spread"] = [round(min(ratios), 1), round(max(ratios), 1)]
    return result


def _stages(case: Case, rounds: int) -> list[dict[str, Any]]:
    """Return where our CPU goes, in µs a call; the message log's share comes on top of the CPU per call above."""
    dialect, _, action, frame = case
    call = parse(frame)
    assert isinstance(call, Call)  # noqa: S101 - `_same` has read it
    noting = NoDatabase()
    steps: dict[str, Callable[[], Any]] = {
        "frame → payload (JSON, bounds)": lambda: parse(frame),
        "schema of the call": lambda: dialect.schemas.request_faults(action, call.payload),
        "decode": lambda: dialect.decode(action, call.payload, NOW),
        "reply, schema of the answer, spelling": lambda: (
            dialect.schemas.response_faults(action, dialect.reply(action, RECORDED, DESK)),
            result_text("id-1", {}),
        ),
        "message log, noting the call and its answer": lambda: (
            noting.frames.heard(frame, call),
            noting.frames.answered(action, "id-1", "{}", is_error=False),
        ),
    }
    costs_us = {name: statistics.median(_time_us(step) for _ in range(rounds)) for name, step in steps.items()}
    costs_us["payload → facts"] = costs_us.pop("decode") - costs_us["schema of the call"]
    return [{"case": NAMES[action], "stage": name, "us": round(cost_us, 1)} for name, cost_us in costs_us.items()]


def _time_us(step: Callable[[], Any]) -> float:
    began_s = time.process_time()
    for _ in range(CALLS_A_ROUND):
        step()
    return (time.process_time() - began_s) / CALLS_A_ROUND * 1e6


async def _all(rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    measured, stages = [], []
    for case in cases():
        measured.append(await _measure(case, rounds))
        stages += _stages(case, rounds)
    return measured, stages


def run(rounds: int) -> Result:
    """Measure both cases."""
    logging.basicConfig(level=logging.WARNING)
    measured, stages = asyncio.run(_all(rounds))
    rows = [
        (
            each["case"],
            _spread(each, "sunslot"),
            _spread(each, "peer_default"),
            _spread(each, "peer_without_async"),
            f"{each['ratio']} × ({each['ratio_spread'][0]} to {each['ratio_spread'][1]})",
        )
        for each in measured
    ]
    heads = (
        "case",
        "Sunslot µs",
        "ocpp 2.1.0, defaults µs",
        "ocpp 2.1.0, no async validation µs",
        "faster peer ÷ Sunslot",
    )
    tables = [
        Table("CPU per call: median (least to most)", heads, rows),
        Table("Where Sunslot's CPU goes", ("case", "stage", "µs"), [tuple(stage.values()) for stage in stages]),
    ]
    return Result({"calls": measured, "stages": stages}, tables)


def _spread(each: dict[str, Any], side: str) -> str:
    least, most = each[f"{side}_spread_us"]
    return f"{each[f'{side}_us']} ({least} to {most})"
