"""Log uploads and firmware updates as the central system sees them: status notifications over some minutes.

Nothing is uploaded or fetched. A firmware's version is the one in its file's name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from simulators.agenda import Agenda, Entry
from simulators.clock import Clock
from simulators.messages import Call, Dialect

UPLOAD_STARTS_S, UPLOAD_ENDS_S = 2, 10
DOWNLOAD_S, INSTALL_S = 30, 20
VERSION = re.compile(r"\d+(?:\.\d+)+")
FIRST_VERSION = "1.0"


class Owner(Protocol):
    """What a workshop needs of its station."""

    clock: Clock
    agenda: Agenda
    dialect: Dialect

    @property
    def is_busy(self) -> bool:
        """Whether a transaction runs."""
        ...

    def send(self, call: Call) -> None:
        """Queue a call."""
        ...

    def restart(self, reason: str) -> None:
        """Boot again."""
        ...


@dataclass(slots=True)
class Update:
    """A firmware update; `request_id` None where the dialect has none (OCPP 1.6, not signed)."""

    request_id: int | None
    version: str
    is_signed: bool
    install_s: int
    status: str = "Idle"


@dataclass(slots=True)
class Upload:
    """A log's upload; `request_id` None: OCPP 1.6 diagnostics."""

    request_id: int | None
    status: str = "Idle"


def version_after(location: str, current: str) -> str:
    """Return the version that a file's name carries, or the one after the current."""
    found = VERSION.findall(location.rsplit("/", 1)[-1])
    if found:
        return str(found[-1])
    major, _, minor = current.partition(".")
    return f"{major}.{int(minor) + 1 if minor.isdecimal() else 1}"


class Workshop:
    """One station's upload and update, at most one of each at a time."""

    def __init__(self, station: Owner) -> None:
        self.firmware = FIRST_VERSION
        self.update: Update | None = None
        self.log = Upload(0)
        self.diagnostics = Upload(None)
        self._station = station
        self._entries: dict[str, Entry] = {}

    def _at(self, what: str, at_s: int, action: Callable[[], None]) -> None:
        if (pending := self._entries.get(what)) is not None:
            pending.is_cancelled = True
        self._entries[what] = self._station.agenda.at(at_s, action)

    def upload(self, request_id: int | None) -> bool:
        """Upload a log; return whether another one was given up for it (2.0.1 N01.FR.12)."""
        before = self.diagnostics if request_id is None else self.log
        is_instead = before.status == "Uploading"
        if is_instead and request_id is not None:
            self._station.send(self._station.dialect.log_status("AcceptedCanceled", before.request_id))
        upload = Upload(request_id, "Uploading")
        if request_id is None:
            self.diagnostics = upload
        else:
            self.log = upload
        now_s, what = self._station.clock.now_s, "diagnostics" if request_id is None else "log"

        def begin() -> None:
            self._tell_upload(upload)
            self._at(what, now_s + UPLOAD_ENDS_S, end)

        def end() -> None:
            upload.status = "Uploaded"
            self._tell_upload(upload)
            upload.status = "Idle"

        self._at(what, now_s + UPLOAD_STARTS_S, begin)
        return is_instead

    def _tell_upload(self, upload: Upload) -> None:
        self._station.send(self._station.dialect.log_status(upload.status, upload.request_id))

    def install(self, update: Update, retrieve_s: int) -> bool:
        """Fetch and install a firmware; return whether another one was given up for it (2.0.1 L01.FR.24)."""
        is_instead = self.update is not None
        self.update = update
        self._at("update", max(retrieve_s, self._station.clock.now_s + 1), self._download)
        return is_instead

    def _step(self, status: str) -> None:
        update = self.update
        if update is not None:
            update.status = status
            self._station.send(self._station.dialect.firmware_status(status, update.request_id))

    def _download(self) -> None:
        self._step("Downloading")
        self._at("update", self._station.clock.now_s + DOWNLOAD_S, self._downloaded)

    def _downloaded(self) -> None:
        self._step("Downloaded")
        if self.update is not None and self.update.is_signed:
            self._step("SignatureVerified")
        self._at("update", max(self._station.clock.now_s, self.update.install_s if self.update else 0), self.proceed)

    def proceed(self) -> None:
        """Install what is fetched, once no transaction runs (the station calls this when a car has left)."""
        update, now_s = self.update, self._station.clock.now_s
        if update is None or update.status not in {"Downloaded", "SignatureVerified"} or now_s < update.install_s:
            return
        if self._station.is_busy:
            return
        self._step("Installing")
        self._at("update", now_s + INSTALL_S, self._reboot)

    def _reboot(self) -> None:
        update = self.update
        if update is None:
            return
        if self._station.dialect.tells_install_reboot(update.is_signed):
            self._step("InstallRebooting")
        update.status = "InstallRebooting"
        self.firmware = update.version
        self._at("update", self._station.clock.now_s + 1, lambda: self._station.restart("FirmwareUpdate"))

    def booted(self) -> None:
        """The boot was accepted: a new firmware that runs is installed."""
        if self.update is not None and self.update.status == "InstallRebooting":
            self._step("Installed")
            self.update = None

    def tell_firmware(self) -> Call:
        """Return the status as asked for: Idle where nothing goes on (2.0.1 F06.FR.07)."""
        update = self.update
        if update is None or update.status == "Idle":
            return self._station.dialect.firmware_status("Idle", None)
        return self._station.dialect.firmware_status(update.status, update.request_id)

    def tell_log(self) -> Call:
        """Return the log's status as asked for."""
        return self._station.dialect.log_status(self.log.status, self.log.request_id or 0)

    def tell_diagnostics(self) -> Call:
        """Return the status of diagnostics (OCPP 1.6) as asked for."""
        return self._station.dialect.log_status(self.diagnostics.status, None)
