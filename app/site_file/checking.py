"""A file judged as the server would judge it, without one."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain.electrical import SiteModel
from app.scheduling import tariff
from app.scheduling.burdens import Burden, place_of, planned_burdens, spell, why_unsafe
from app.scheduling.site_model import flaws_of
from app.site_file.model import SiteFile
from app.site_file.reading import Finding, Lines, Unreadable, read


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file says (None: no site), what every row of it bears, and what is wrong or doubtful, errors first."""

    file: SiteFile | None
    model: SiteModel | None
    rows: tuple[Burden, ...]
    findings: tuple[Finding, ...]

    @property
    def is_right(self) -> bool:
        """Whether a server would take it."""
        return self.file is not None and all(finding.is_warning for finding in self.findings)

    @property
    def is_safe(self) -> bool:
        """Whether the safe currents of all EVSEs fit at every row (INV-4)."""
        return bool(self.rows) and not any(row.missing_safe for row in self.rows)


def checked(text: str) -> Checked:
    """Check a file's text."""
    try:
        file = read(text)
    except Unreadable as broken:
        return Checked(None, None, (), tuple(broken.findings))
    lines, model = Lines(text), file.site_model()
    findings = [*_zone(file, lines), *_tariff(file, lines)]
    flaws = flaws_of(model)
    findings += [Finding(flaw.path, flaw.reason, lines.line_of(flaw.path), flaw.is_warning) for flaw in flaws]
    rows = planned_burdens(model.site, model.planned()) if all(flaw.is_warning for flaw in flaws) else ()
    findings += [finding for row in rows for finding in _room(row, model, lines)]
    findings.sort(key=lambda finding: finding.is_warning)
    return Checked(file, model, rows, tuple(findings))


def _zone(file: SiteFile, lines: Lines) -> list[Finding]:
    try:
        ZoneInfo(file.site.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        reason = "is not a time zone of the IANA database, like Asia/Tokyo"
        return [Finding("site.zone", reason, lines.line_of("site.zone"))]
    return []


def _tariff(file: SiteFile, lines: Lines) -> list[Finding]:
    flaws = () if file.tariff is None else tariff.flaws_of(file.tariff.tariff())
    return [Finding(f"tariff.{field}", reason, lines.line_of(f"tariff.{field}")) for field, reason in flaws]


def _room(row: Burden, model: SiteModel, lines: Lines) -> list[Finding]:
    """Say where the safe currents do not fit, and where nothing is left to give once a station is surprised."""
    feeder_id, conductor = row.key
    field = "limit_kw" if conductor is None else "rating_a"
    path = f"site.{field}" if feeder_id is None else f"feeders.{feeder_id}.{field}"
    where = f"{place_of(row.key)}: "
    if row.missing_safe:
        return [Finding(path, where + why_unsafe(row), lines.line_of(path))]
    if row.left_for_cars < 0 and row.surprised:
        names = ", ".join(row.surprised)
        told = f"nothing is left for cars while {model.site.surprised_count} surprised stations are covered ({names}): "
        told += f"{spell(-row.left_for_cars, row.key)} are missing, and no EVSE below gets more than its safe current"
        return [Finding(path, where + told, lines.line_of(path), is_warning=True)]
    return []
