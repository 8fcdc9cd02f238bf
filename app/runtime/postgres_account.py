"""As whom the embedded PostgreSQL runs: ourselves, or as root an existing unprivileged account (it refuses root)."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import DatabaseUnavailable

ACCOUNTS = ("postgres", "nobody", "daemon")


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its main group; `is_other` when it is not who we are."""

    uid: int
    gid: int
    is_other: bool

    def own(self, path: Path) -> None:
        """Give a file or folder to the account."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Whether the account may enter all folders above `path`, and read it where it exists."""
        if not self.is_other:
            return True
        path = path.resolve()
        if path.exists() and not self._may(path.stat(), stat.S_IRUSR):
            return False
        return all(self._may(parent.stat(), stat.S_IXUSR) for parent in path.parents if parent.exists())

    def _may(self, status: os.stat_result, user_bit: int) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & user_bit)
        if status.st_gid == self.gid:
            return bool(status.st_mode & (user_bit >> 3))
        return bool(status.st_mode & (user_bit >> 6))


def account_for(data_dir: Path) -> Account:
    """Return who runs the server on this data folder: its owner if it exists. Raises DatabaseUnavailable."""
    owner_uid = data_dir.stat().st_uid if data_dir.exists() else None
    if os.geteuid() != 0:
        if owner_uid not in (None, os.geteuid()):
            raise DatabaseUnavailable(f"the data folder {data_dir} belongs to another user (uid {owner_uid})")
        return Account(os.geteuid(), os.getegid(), is_other=False)
    if owner_uid is not None and owner_uid != 0:
        return Account(owner_uid, data_dir.stat().st_gid, is_other=True)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, is_other=True)
    raise DatabaseUnavailable(f"PostgreSQL refuses to run as root and none of {', '.join(ACCOUNTS)} exists here")
