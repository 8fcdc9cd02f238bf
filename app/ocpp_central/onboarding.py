"""Setting one station up: read what it can, set what we depend on, read that back (OCPP 1.6 §5.3, §5.8; 2.0.1 B05-B07).

The order after a connection or a boot is decided here and in `reconcile`: first the safe defaults are installed and
proven (R8), then the limit orders of running sessions are sent, and only then is a station set up, as a task of its
own. Its calls take turns with the orders' calls (one is outstanding at a time), so that an order waits for one answer
at most, and the station's own messages are answered all the while. A station that leaves two calls in a row unanswered
is left alone until the next attempt; it charges meanwhile, with its safe default or with leases.

The same make, serial number and firmware is not set up twice (`operations.onboarding`). A later boot only checks what
needed one, and what an operator wrote since is left alone.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from app.bus import Bus
from app.bus.subjects import station_onboarding, station_report
from app.domain.capabilities import Capabilities
from app.domain.commands import Accepted, Command, Outcome, ReadSettings, Rejected, Unsupported, WriteSetting
from app.domain.device import Variable
from app.domain.errors import Invalid, StationFault, StationTimeout
from app.domain.upkeep import ReadReport, ReportBase
from app.ocpp_central.boot import BootGate
from app.ocpp_central.reconcile import Look, Perform
from app.ocpp_central.wanted import Kind, Needs, Setup, Told, Wanted, items, told
from app.operations import device_model, onboarding
from app.operations.onboarding import NEEDS_REBOOT, Task
from app.operations.transaction import Transactions

log = structlog.get_logger()

MOST_SILENCES_COUNT = 2
MOST_NAMES_COUNT = 10
LONGEST_REPORT_S = 300.0
NO_ANSWER = "no answer"
NO_SUCH = "the station has no such setting"


class Silent(Exception):
    """The station does not answer: this attempt is over."""


@dataclass(slots=True)
class Findings:
    """What one attempt has found out so far. `set_to` is what was written and is to be read back.

    `has_agreed`: at least one of our calls was accepted; `is_repeated`: one was not answered, another attempt may help.
    """

    told: Told = field(default_factory=lambda: told(()))
    is_whole: bool = False
    absent: set[str] = field(default_factory=set)
    unmet: dict[str, str] = field(default_factory=dict)
    set_to: dict[str, str] = field(default_factory=dict)
    has_agreed: bool = False
    is_repeated: bool = False


class Onboarding:
    """One station's setting up, as long as it is connected."""

    def __init__(
        self,
        station_id: str,
        transactions: Transactions,
        bus: Bus,
        gate: BootGate,
        perform: Perform,
        *,
        dialect: str,
        setup: Setup,
        needs: Needs,
        report_wait_s: float,
        look: Look,
    ) -> None:
        self._station_id = station_id
        self._transactions = transactions
        self._bus = bus
        self._gate = gate
        self._perform = perform
        self._dialect = dialect
        self._setup = setup
        self._wanted = setup.wanted(needs)
        self._report_wait_s = report_wait_s
        self._standing = look
        self._silence_count = 0

    async def run(self) -> None:
        """Run until the connection ends."""
        while True:
            await self._gate.secured()
            with self._bus.listen(station_onboarding(self._station_id)) as bell:
                while self._gate.is_secured:
                    await bell.next(await self._look())

    async def _look(self) -> datetime | None:
        """Do what is due; return when to look again."""
        wanted = {each.name: each.value for each in self._wanted}
        standing = await self._standing(self._station_id)
        if standing is not None and onboarding.is_settled(standing, self._dialect, wanted):
            return None
        async with self._transactions() as tx:
            due = await onboarding.due(tx, self._station_id, self._dialect, wanted)
        if due.task is Task.SET_UP:
            await self._set_up()
            async with self._transactions() as tx:
                due = await onboarding.due(tx, self._station_id, self._dialect, wanted)
        elif due.task is Task.CHECK:
            await self._check(due.names)
        return due.look_at

    async def _set_up(self) -> None:
        self._silence_count, findings = 0, Findings()
        log.info("onboarding_begun", station_id=self._station_id)
        try:
            await self._survey(findings)
            for wanted in self._wanted:
                await self._meet(wanted, findings)
            await self._read_back(findings)
        except Silent:
            findings.unmet[onboarding.WHOLE] = "the station does not answer"
            findings.is_repeated = True
        capabilities = self._setup.capabilities(findings.told)
        async with self._transactions() as tx:
            await onboarding.finish(
                tx,
                self._station_id,
                capabilities,
                findings.unmet,
                is_failed=not findings.has_agreed,
                is_repeated=findings.is_repeated or not findings.has_agreed,
            )
        self._tell(findings, capabilities)

    def _tell(self, findings: Findings, capabilities: Capabilities) -> None:
        for name, reason in findings.unmet.items():
            log.info("setting_unmet", station_id=self._station_id, setting=name, reason=reason)
        if capabilities.oddities:
            log.info("not_believed", station_id=self._station_id, oddities=list(capabilities.oddities))
        log.info("onboarding_over", station_id=self._station_id, unmet_count=len(findings.unmet))

    async def _ask(self, command: Command, findings: Findings) -> Outcome | None:
        """Send a command; None: no answer. Raises Silent when that happens twice in a row."""
        try:
            outcome = await self._perform(command)
        except StationTimeout:
            self._silence_count += 1
            findings.is_repeated = True
            if self._silence_count >= MOST_SILENCES_COUNT:
                raise Silent from None
            return None
        except StationFault as fault:
            outcome = Rejected(fault.detail)
        except Invalid as unspeakable:
            return Unsupported(unspeakable.detail)
        self._silence_count = 0
        findings.has_agreed = findings.has_agreed or isinstance(outcome, Accepted)
        return outcome

    # --- what the station says

    async def _survey(self, findings: Findings) -> None:
        """Learn what the station is made of: by a report, all at once, or at least what we need to know."""
        for base in self._setup.reports:
            findings.is_whole = findings.is_whole or await self._report(base, findings)
        if self._setup.reads_everything:
            outcome = await self._ask(ReadSettings(()), findings)
            if isinstance(outcome, Accepted) and outcome.detail["values"]:
                findings.is_whole = True
                await self._keep(outcome, findings)
        async with self._transactions() as tx:
            findings.told = told(await device_model.variables_of(tx, self._station_id))
        if not findings.is_whole:
            needed = [*self._setup.asked, *(each.name for each in self._wanted)]
            await self._read(needed, findings)

    async def _report(self, base: ReportBase, findings: Findings) -> bool:
        """Ask for a report and wait for its parts; return whether any has come. What is missing has to be asked for."""
        async with self._transactions() as tx:
            request_id = await device_model.open_report(tx, self._station_id, base)
        clock = self._transactions.clock
        with self._bus.listen(station_report(self._station_id)) as bell, clock.hold():
            outcome = await self._ask(ReadReport(request_id, base), findings)
            part_count, is_done, is_patient = 0, False, isinstance(outcome, Accepted)
            try:
                async with asyncio.timeout(LONGEST_REPORT_S):
                    while is_patient and not is_done:
                        async with asyncio.timeout(self._report_wait_s):
                            await bell.next()
                        async with self._transactions() as tx:
                            part_count, is_done = await device_model.report_progress(tx, request_id)
            except TimeoutError:
                log.info("report_incomplete", station_id=self._station_id, base=base, part_count=part_count)
        if not is_done:
            async with self._transactions() as tx:
                await device_model.close_report(tx, request_id, "incomplete" if part_count else "refused")
        return is_done

    async def _read(self, names: Sequence[str], findings: Findings) -> dict[str, str | None]:
        """Read settings by name, few at a time, one at a time where that is refused; return those that it has."""
        values: dict[str, str | None] = {}
        at_once_count = MOST_NAMES_COUNT
        rest = list(dict.fromkeys(names))
        while rest:
            chunk, rest = rest[:at_once_count], rest[at_once_count:]
            outcome = await self._ask(ReadSettings(tuple(chunk)), findings)
            if isinstance(outcome, Accepted):
                values |= await self._keep(outcome, findings)
                findings.absent |= {name.lower() for name in outcome.detail["unknown"]}
            elif len(chunk) > 1:
                at_once_count, rest = 1, [*chunk, *rest]
        return values

    async def _keep(self, outcome: Accepted, findings: Findings) -> dict[str, str | None]:
        """Keep values that were read; what is known of a setting besides its value stays."""
        values, writable = outcome.detail["values"], outcome.detail.get("writable", {})
        known = dict(findings.told.by_name)
        for name, value in values.items():
            known[name.lower()] = self._variable(name, value, known.get(name.lower()), writable.get(name))
        findings.told = Told(known, findings.told.by_evse, findings.told.oddities)
        async with self._transactions() as tx:
            await device_model.store(tx, self._station_id, [known[name.lower()] for name in values])
        return dict(values)

    # --- what the station is to do

    async def _meet(self, wanted: Wanted, findings: Findings) -> None:
        """Set one setting unless it is as wanted; note why it cannot be."""
        variable = findings.told.find(wanted.name)
        is_absent = variable is None and (findings.is_whole or wanted.name.lower() in findings.absent)
        if is_absent and not wanted.is_needed:
            reason = "" if wanted.is_optional else NO_SUCH
        elif variable is not None and variable.value is not None and wanted.is_met_by(variable.value):
            reason = ""
        elif variable is not None and not variable.is_writable:
            reason = f"cannot be changed, it is {variable.value}"
        else:
            reason = await self._write(wanted, wanted.adapted(variable), findings)
        if reason:
            findings.unmet[wanted.name] = reason

    async def _write(self, wanted: Wanted, value: str, findings: Findings) -> str:
        """Write a value, of a list as much as the station takes; return why it is not all that is wanted, or ""."""
        outcome = await self._ask(WriteSetting(wanted.name, value), findings)
        match outcome:
            case Accepted(detail):
                findings.set_to[wanted.name] = value
                is_less = not wanted.is_met_by(value)
                return NEEDS_REBOOT if detail.get("reboot_required") else f"takes only {value}" if is_less else ""
            case None:
                return NO_ANSWER
            case Unsupported():
                return "" if wanted.is_optional else NO_SUCH
            case Rejected(reason):
                if wanted.kind is Kind.LIST and wanted.fits is None and len(items(value)) > 1:
                    return await self._write_items(wanted, items(value), findings)
                return f"refused: {reason}"

    async def _write_items(self, wanted: Wanted, words: Sequence[str], findings: Findings) -> str:
        """Add one item of a refused list after the other, in the order of need, and keep those that are taken."""
        kept: tuple[str, ...] = ()
        for word in words:
            longer = (*kept, word)
            outcome = await self._ask(WriteSetting(wanted.name, ",".join(longer)), findings)
            if isinstance(outcome, Accepted):
                kept = longer
        if not kept:
            return "refused, each part of it"
        findings.set_to[wanted.name] = ",".join(kept)
        return f"takes only {','.join(kept)}"

    async def _read_back(self, findings: Findings) -> None:
        """Compare what was set with what the station says now; a value that it keeps to itself is believed."""
        if not findings.set_to:
            return
        values = await self._read(list(findings.set_to), findings)
        by_name = {name.lower(): value for name, value in values.items()}
        wanted_by_name = {each.name: each for each in self._wanted}
        for name, value in findings.set_to.items():
            text = by_name.get(name.lower())
            if text is not None and not wanted_by_name[name].is_met_by(text, value) and name not in findings.unmet:
                findings.unmet[name] = f"taken, but it says {text}"

    async def _check(self, names: Iterable[str]) -> None:
        """After the boot that they needed: read these settings again."""
        self._silence_count, findings = 0, Findings()
        try:
            values = await self._read(list(names), findings)
        except Silent:
            return
        by_name = {name.lower(): value for name, value in values.items()}
        unmet: dict[str, str | None] = {}
        for wanted in self._wanted:
            if wanted.name in names and (text := by_name.get(wanted.name.lower())) is not None:
                is_met = wanted.is_met_by(text)
                unmet[wanted.name] = None if is_met else f"it says {text}, also after a reboot"
        async with self._transactions() as tx:
            await onboarding.checked(tx, self._station_id, unmet)

    def _variable(self, name: str, value: str | None, known: Variable | None, is_writable: bool | None) -> Variable:
        """Return a setting as it was read; one that nobody has called read-only may be tried."""
        found = replace(self._setup.variable(name), is_writable=True) if known is None else known
        return replace(found, value=value, is_writable=found.is_writable if is_writable is None else is_writable)
