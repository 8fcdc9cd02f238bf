"""The process that plans for the server: snapshots come in on stdin, plans go out on stdout, until stdin ends.

A message is its length (8 bytes, big endian) and JSON as in a plan's record, a question's instant before it. What goes
wrong ends the process: whoever asked sees that, and plans itself.
"""

import sys
from datetime import datetime
from typing import BinaryIO

from app.operations.records import plan_json, read_snapshot_json
from app.scheduling.planner import plan

LENGTH_BYTES = 8
INSTANT_BYTES = 32


def framed(text: bytes) -> bytes:
    """Return a message with its length."""
    return len(text).to_bytes(LENGTH_BYTES, "big") + text


def question(snapshot: bytes, now: datetime) -> bytes:
    """Return a snapshot (as JSON) and the instant to plan from as a message."""
    return framed(now.isoformat().encode().ljust(INSTANT_BYTES) + snapshot)


def answers(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer questions until there are no more."""
    while head := source.read(LENGTH_BYTES):
        body = source.read(int.from_bytes(head, "big"))
        now = datetime.fromisoformat(body[:INSTANT_BYTES].decode().strip())
        made = plan(read_snapshot_json(body[INSTANT_BYTES:]), now)
        sink.write(framed(plan_json(made)))
        sink.flush()


if __name__ == "__main__":
    answers(sys.stdin.buffer, sys.stdout.buffer)
