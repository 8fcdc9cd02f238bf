"""The simulators' child process: JSON lines out, JSON lines back, every wait bounded."""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson

from app.domain.errors import Invalid

LINE_LIMIT_BYTES = 64 * 1024 * 1024
ANSWER_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0


class ChildFailed(RuntimeError):
    """The child process died, hung or answered nonsense; the message carries the end of its log."""


class Child:
    """A running simulator process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._last_lines: deque[str] = deque(maxlen=20)
        self._log_reader = asyncio.create_task(self._read_log())

    async def _read_log(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - we opened it as a pipe
        async for line in self._process.stderr:
            self._last_lines.append(line.decode(errors="replace").rstrip())

    async def ask(self, kind: str, *, timeout_s: float = ANSWER_TIMEOUT_S, **fields: Any) -> dict[str, Any]:
        """Send one request and return its answer; raises ChildFailed, or Invalid where the child refuses the input."""
        assert self._process.stdin is not None  # noqa: S101 - we opened both as pipes
        assert self._process.stdout is not None  # noqa: S101
        try:
            async with asyncio.timeout(timeout_s):
                self._process.stdin.write(orjson.dumps({"type": kind, **fields}) + b"\n")
                await self._process.stdin.drain()
                line = await self._process.stdout.readline()
        except (TimeoutError, ConnectionError) as broken:
            raise ChildFailed(self._story(f"no answer to {kind}: {type(broken).__name__}")) from broken
        if not line:
            raise ChildFailed(self._story(f"ended while it was asked to {kind}"))
        answer: dict[str, Any] = orjson.loads(line)
        if answer.get("type") == "error":
            raise Invalid(str(answer.get("message")), field=answer.get("field"))
        return answer

    def _story(self, what: str) -> str:
        return "\n".join([f"simulators {what}", *self._last_lines])

    async def stop(self) -> None:
        """End the process: close its input, then ask, then kill."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        for signal_it in (None, self._process.terminate, self._process.kill):
            with suppress(ProcessLookupError, TimeoutError):
                if signal_it is not None:
                    signal_it()
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._process.wait()
                break
        self._log_reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._log_reader


@asynccontextmanager
async def simulators() -> AsyncIterator[Child]:
    """Run `python -m simulators day` while the context lasts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulators",
        "day",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT_BYTES,
    )
    child = Child(process)
    try:
        yield child
    finally:
        await child.stop()
