"""Which tokens a station knows by itself: local list and cache (OCPP 1.6 §3.5, 2.0.1 C10, D01)."""

from dataclasses import dataclass, field

MOST_LISTED_COUNT = 1000
MOST_CACHED_COUNT = 1000
NO_VERSION = 0


@dataclass(slots=True)
class Tokens:
    """The list has precedence over the cache. Values say whether the token may charge."""

    version: int = NO_VERSION
    listed: dict[str, bool] = field(default_factory=dict)
    cached: dict[str, bool] = field(default_factory=dict)

    def replace(self, version: int, entries: dict[str, bool | None]) -> bool:
        """Take a whole list; False where it is too long or names a token without saying whether it may charge."""
        if len(entries) > MOST_LISTED_COUNT or None in entries.values():
            return False
        self.version = version
        self.listed = {token: bool(may_charge) for token, may_charge in entries.items()}
        return True

    def change(self, version: int, entries: dict[str, bool | None]) -> bool:
        """Take what changes; None takes a token off the list. False where the list would become too long."""
        changed = self.listed | {token: may for token, may in entries.items() if may is not None}
        kept = {token: may for token, may in changed.items() if entries.get(token, may) is not None}
        if len(kept) > MOST_LISTED_COUNT:
            return False
        self.version, self.listed = version, kept
        return True

    def remember(self, token: str, may_charge: bool) -> None:
        """Keep what the central system said of a token; the oldest knowledge goes first."""
        self.cached.pop(token, None)
        if len(self.cached) >= MOST_CACHED_COUNT:
            del self.cached[next(iter(self.cached))]
        self.cached[token] = may_charge

    def verdict(self, token: str) -> bool | None:
        """Say whether a token may charge; None: nobody has told."""
        return self.listed.get(token, self.cached.get(token))
