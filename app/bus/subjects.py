"""The spelling of every subject."""


def site_changed(site_id: str) -> str:
    """Something the planner reads has changed."""
    return f"site.{site_id}.changed"


def site_limits(site_id: str) -> str:
    """A new plan, an acknowledgement or freed headroom: the limit loop should look again."""
    return f"site.{site_id}.limits"


def site_stays(site_id: str) -> str:
    """Stays have ended at the site, or were forgotten: the learning loop should look again."""
    return f"site.{site_id}.stays"


def station_orders(station_id: str) -> str:
    """There are limit orders (or verification work) for the station's session."""
    return f"station.{station_id}.orders"


def station_onboarding(station_id: str) -> str:
    """The station has booted, or is to be set up again: its session should look whether there is something to do."""
    return f"station.{station_id}.onboarding"


def station_report(station_id: str) -> str:
    """A part of a report that the station was asked for has come."""
    return f"station.{station_id}.report"


def station_command(station_id: str) -> str:
    """Imperative commands to a station."""
    return f"station.{station_id}.command"


def station_certificates(station_id: str) -> str:
    """A certificate of the station is to be signed or delivered."""
    return f"station.{station_id}.certificates"


def station_dismissed(station_id: str) -> str:
    """The station's connection is to end: it was removed, or has to boot anew."""
    return f"station.{station_id}.dismissed"


def connection_superseded(number: int) -> str:
    """A newer connection of the station was authenticated: this one is to end."""
    return f"connection.{number}.superseded"


SITES_CHANGED = "sites.changed"
