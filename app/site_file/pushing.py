"""Brings a server to a site file over its API, and says what changes; the second time nothing does."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from app.domain.errors import Conflict, Invalid, NotFound
from app.site_file.model import SiteFile

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
NOT_FOUND = 404
TOLD_COUNT = 5


class Api:
    """The few calls of the API that a site file needs; every refusal is raised in the server's own words."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> Any:
        """Return what is at a path; raises NotFound and what the server says."""
        return self._ask("GET", path, None)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a body, or nothing; raises what the server says."""
        return self._ask(method, path, body)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.TransportError as broken:
            raise Invalid(f"the server does not answer ({type(broken).__name__}); does it run there?") from broken
        if answer.status_code == NOT_FOUND:
            raise NotFound(_told(answer))
        if answer.is_error:
            raise Conflict(f"the server refuses it ({answer.status_code}): {_told(answer)}")
        return answer.json() if answer.content else None


def _told(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        wrong = [f"{each['field']}: {each['reason']}" for each in problem.get("errors") or ()]
        return "; ".join(wrong) or str(problem["detail"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return "no reason was given"


def client_of(url: str, token: str) -> httpx.Client:
    """Return a client of a server's API; raises Invalid."""
    try:
        httpx.URL(url)
    except httpx.InvalidURL:
        raise Invalid("is not a URL", field="--url") from None
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, trust_env=False)


def apply(file: SiteFile, api: Api, keys_file: Path | None, *, is_dry: bool = False) -> Iterator[str]:
    """Yield what changes, line by line, and (unless `is_dry`) change it.

    Stations that the server does not know are provisioned and their keys appended to `keys_file` (None: they are an
    error). Stations of the server that the file does not name stay as they are. Raises Conflict, Invalid, NotFound.
    """
    site_id = file.site.site_id
    place = f"/v1/sites/{site_id}"
    before = _stored(api, file)
    wanted = file.model_dump(mode="json", by_alias=True, include={"feeders", "stations", "tariff"})
    wanted["site"] = file.changeable()
    stored = {} if before is None else before["stations"]
    known = {each: of for each, of in wanted["stations"].items() if each in stored}
    missing = [each for each in wanted["stations"] if each not in known]
    if missing and keys_file is None:
        told = ", ".join([*missing[:TOLD_COUNT], *(["…"] if missing[TOLD_COUNT:] else [])])
        raise Conflict(f"not provisioned yet: {told}; with --keys-file they are, and their keys written there")
    if before is None:
        yield f"site {site_id}: is new"
        before = {"site": file.changeable(), "tariff": None, "feeders": {}, "stations": {}}
        if not is_dry:
            api.send("POST", "/v1/sites", file.site.model_dump(mode="json"))
    changes = list(differences(before, wanted | {"stations": known}))
    yield from changes
    if changes and not is_dry:
        electrical = {"site": wanted["site"], "feeders": wanted["feeders"], "stations": known}
        api.send("PUT", f"{place}/electrical", electrical)
    changes = list(tariff_differences(before["tariff"], wanted["tariff"]))
    yield from changes
    if changes and not is_dry:
        api.send("DELETE" if wanted["tariff"] is None else "PUT", f"{place}/tariff", wanted["tariff"])
    for station_id in missing:
        yield f"stations.{station_id}: is new"
        if not is_dry and keys_file is not None:
            _provision(api, site_id, station_id, wanted["stations"][station_id], keys_file)
    for station_id in sorted(set(stored) - set(wanted["stations"])):
        yield f"stations.{station_id}: is not in the file and stays as it is"


def _stored(api: Api, file: SiteFile) -> Mapping[str, Any] | None:
    """Return what the server has of the file's site, None where it has no such site; raises Conflict."""
    place = f"/v1/sites/{file.site.site_id}"
    try:
        site = api.get(place)
    except NotFound:
        return None
    if site["zone"] != file.site.zone:
        raise Conflict(f"the site is in {site['zone']}, and a zone does not change", field="site.zone")
    return {**api.get(f"{place}/electrical"), "tariff": _stored_tariff(api, place)}


def _stored_tariff(api: Api, place: str) -> Any:
    """Return the tariff that the server has of a site, None where it has none."""
    try:
        return api.get(f"{place}/tariff")
    except NotFound:
        return None


def differences(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is different, by the paths of a site file; stations that are not `wanted` are left out."""
    yield from _fields("site", before["site"], wanted["site"])
    for feeder_id in {**before["feeders"], **wanted["feeders"]}:
        name = f"feeders.{feeder_id}"
        if feeder_id not in wanted["feeders"]:
            yield f"{name}: is taken away"
        elif feeder_id not in before["feeders"]:
            yield f"{name}: is new"
        else:
            yield from _fields(name, before["feeders"][feeder_id], wanted["feeders"][feeder_id])
    for station_id, station in wanted["stations"].items():
        stored = before["stations"][station_id]["evses"]
        for number, evse in enumerate(station["evses"]):
            name = f"stations.{station_id}.evses[{number}]"
            if number < len(stored):
                yield from _fields(name, stored[number], evse)
            else:
                yield f"{name}: is new"


def tariff_differences(before: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what is different between two tariffs, by the paths of a site file."""
    if before is None or wanted is None:
        if before is not wanted:
            yield "tariff: is taken away" if wanted is None else "tariff: is new"
        return
    yield from _fields("tariff", {**before, "periods": None}, {**wanted, "periods": None})
    stored = before["periods"]
    for number, period in enumerate(wanted["periods"]):
        name = f"tariff.periods[{number}]"
        if number < len(stored):
            yield from _fields(name, stored[number], period)
        else:
            yield f"{name}: is new"
    for number in range(len(wanted["periods"]), len(stored)):
        yield f"tariff.periods[{number}]: is taken away"


def _fields(name: str, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for field, value in wanted.items():
        if before.get(field) != value:
            yield f"{name}.{field}: {_shown(before.get(field))} → {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def _provision(api: Api, site_id: str, station_id: str, station: Mapping[str, Any], keys_file: Path) -> None:
    """Provision a station and append its key to a file that only its owner can read."""
    descriptor = os.open(keys_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as keys:
        body = {"station_id": station_id, "site_id": site_id, "evses": station["evses"]}
        keys.write(f"{station_id} {api.send('POST', '/v1/stations', body)['key']}\n")


def stored_file(api: Api, site_id: str) -> SiteFile:
    """Return the site file of what a server has; raises NotFound and what the server says."""
    site = api.get(f"/v1/sites/{quote(site_id, safe='')}")
    electrical = api.get(f"/v1/sites/{quote(site_id, safe='')}/electrical")
    own = {name: value for name, value in site.items() if name not in {"site_id", "created_at"}}
    return SiteFile.model_validate(
        {
            "site": {"id": site["site_id"], **own},
            "tariff": _stored_tariff(api, f"/v1/sites/{quote(site_id, safe='')}"),
            "feeders": electrical["feeders"],
            "stations": electrical["stations"],
        }
    )
