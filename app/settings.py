"""One frozen tree of settings, read once from the environment; rooms receive values, never this object."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]


def _postgresql(url: SecretStr | None) -> SecretStr | None:
    if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    return url


class Settings(BaseSettings):
    """Everything that an installation may set. Port 0 means any free one."""

    model_config = SettingsConfigDict(env_prefix="SUNSLOT_", frozen=True, extra="ignore")

    database_url: Annotated[SecretStr | None, AfterValidator(_postgresql)] = Field(
        default=None, description="any PostgreSQL ≥ 15; without it an embedded one runs in the data folder"
    )
    data_dir: Path = Field(default=Path("var"), description="the embedded database and the first operator's token")
    http_host: str = "127.0.0.1"
    http_port: Port = 8000
    ocpp_host: str = "0.0.0.0"  # noqa: S104 - charge points are on other machines
    ocpp_port: Port = 9000
    ocpp_tls_port: Port | None = Field(default=None, description="a second OCPP listener with TLS; off without it")
    ocpp_tls_hosts: str = Field(
        default="localhost", min_length=1, description="names and addresses of our own chains, with commas between"
    )
    ocpp_tls_rsa_certificate: Path | None = Field(default=None, description="PEM, leaf first; without any: made")
    ocpp_tls_rsa_key: Path | None = None
    ocpp_tls_ecdsa_certificate: Path | None = None
    ocpp_tls_ecdsa_key: Path | None = None
    ocpp_station_ca: Path | None = Field(default=None, description="PEM, roots that vouch for stations (profile 3)")
    ocpp_organisation: str | None = Field(default=None, description="what stations' certificates have to name")
    ocpp_certificate_authority: Literal["local", "manual"] = Field(
        default="local", description="who signs stations' certificates: one in the data folder, or an operator"
    )
    ocpp_public_url: Annotated[str | None, Field(pattern="^ws://")] = Field(
        default=None, description="where stations reach us, up to their identity"
    )
    ocpp_tls_public_url: Annotated[str | None, Field(pattern="^wss://")] = None
    meter_interval_s: int = Field(default=60, ge=5, le=3600, description="asked of stations while a session runs")
    heartbeat_interval_s: int = Field(default=300, ge=10, le=86400)
    call_timeout_s: float = Field(default=30.0, gt=0, le=300)
    planning_process_from: int = Field(
        default=10_000, ge=1, description="cars × quarters of an hour from which on a process of its own makes the plan"
    )
    keep_days: int = Field(default=400, ge=31, description="how long plans, meter values and messages are kept")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
