"""Every port, directory and limit of one instance, from `ivr.toml` and `IVR_…` in the environment.

The environment wins over the file. Two instances run side by side on one machine when
`data_dir` and the ports differ.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PROJECT_ROOT = Path(__file__).resolve().parent.parent

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Exception):
    """A setting is missing or wrong; the text names the setting and what was expected."""


class Settings(BaseSettings):
    """Frozen; units are in the names (`_s` seconds, `_ms` milliseconds)."""

    model_config = SettingsConfigDict(env_prefix="IVR_", frozen=True, extra="ignore")

    data_dir: Path = PROJECT_ROOT / "var"
    """Everything this instance writes: database, rendered Asterisk files, spool, logs, recordings."""
    tools_dir: Path = PROJECT_ROOT / "build" / "tools"
    """Programs fetched without root (Asterisk, SIPp); may be shared by instances."""
    database_url: str = ""
    """Empty: SQLite in `data_dir`. Else `postgresql+psycopg://…` or `sqlite+aiosqlite:///…`."""

    bind_host: str = "127.0.0.1"
    """Where SIP, RTP and the console listen. Loopback until told otherwise."""
    http_port: Port = 8080
    sip_port: Port = 5060
    rtp_start: Port = 20000
    rtp_end: Port = 20999
    ami_port: Port = 5038
    agi_port: Port = 4573
    speech_port: Port = 9099
    asterisk_http_port: Port = 8088

    trunk_host: str = "127.0.0.1"
    trunk_port: Port = 5090
    """Calls from this host *and* port are the trunk's; calls out go to sip:NUMBER@host:port."""
    trunk_caller_id: str = "12349"
    """Caller ID that the family sees."""
    duty_phone: str = ""
    """Number that the lifeline rings through the trunk. Empty: the lifeline can only speak."""
    hotline_number: str = "12349"
    one_key_number: str = "12349120"

    demo_sip_port: Port = 5091
    """Where the demo agent's telephone lives: a port of its own, since the trunk is known by port."""
    demo_rtp_start: Port = 21000
    demo_rtp_end: Port = 21199

    asterisk_binary: str = ""
    """Empty: a system Asterisk at or above the floor, else the one in `tools_dir`."""
    debian_mirror: str = ""
    """Where Asterisk's packages are fetched when the machine has none. Empty: the host's own Debian source."""
    node: str = "node1"
    """Name of this Asterisk node; channel keys are (node, uniqueid)."""

    agi_lease_s: Annotated[int, Field(ge=3, le=60)] = 5
    """A caller waits at most this long on an engine that does not answer before the lifeline takes over."""
    family_ring_s: Annotated[int, Field(ge=1, le=120)] = 25
    family_parallel: Annotated[int, Field(ge=1, le=10)] = 2
    family_rounds: Annotated[int, Field(ge=1, le=10)] = 2
    agent_ring_s: Annotated[int, Field(ge=1, le=120)] = 30
    duty_ring_s: Annotated[int, Field(ge=1, le=120)] = 40
    queue_timeout_s: Annotated[int, Field(ge=5, le=3600)] = 180
    """A routine caller waits at most this long in the queue; then the duty phone, then a promised call-back."""
    engine_hang_s: Annotated[float, Field(ge=2)] = 20.0
    """The supervisor kills and restarts an engine whose heartbeat is older than this."""
    restart_parts: bool = True
    """The supervisor restarts a part that ended by itself."""
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    log_level: str = "INFO"

    speech_model_dir: Path | None = None
    """Any Vosk model directory. Unset: one installed in `data_dir/models`, else the small one that is carried."""
    speech_workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Processes that recognise speech, each with the model loaded once. 0: one per core."""
    speech_slots: Annotated[int, Field(ge=2, le=200)] = 8
    """Streams that one worker hears at once; beyond, calls go on with keys and a person."""
    speech_slots_for_emergencies: Annotated[int, Field(ge=0, le=199)] = 3
    """Of these, how many are kept for calls of an emergency."""
    speech_second_ear: bool = False
    """A caller who waits is heard by a second engine too, which finds distress inside sentences (docs/speech.md). One
    process more: 446 MB, 0.4 of a core while somebody speaks. Needs the extra `second-ear`; without it calls go on."""
    listen_while_waiting: bool = True
    """A caller in the queue is heard: what he asks for is noted, and a word of distress makes his call an emergency."""

    record_rooms: bool = True
    """Everybody in an incident's room is recorded, each leg and the room as a whole (docs/record.md)."""
    announce_recording: bool = True
    """Whoever is no staff and not the elder hears, before he enters the room, that it is recorded."""
    recordings_keep_days: Annotated[int, Field(ge=0, le=36500)] = 180
    """Recordings of closed incidents are removed after so many days, which is journalled. 0: never."""

    own_prompts_dir: Path | None = None
    """A centre's own recordings, one file for each prompt it replaces. Unset: `prompts` in `data_dir`."""
    voice_python: str = ""
    """Python that has the synthesiser (extra `prompts`), for elders' names. Empty: the one of `build/prompts-venv`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, Path(os.environ.get("IVR_CONFIG", "ivr.toml")))
        return init_settings, env_settings, toml

    @model_validator(mode="after")
    def _slots_are_left(self) -> Self:
        if self.speech_slots_for_emergencies >= self.speech_slots:
            raise ValueError("speech_slots_for_emergencies: must be less than speech_slots")
        return self

    @cached_property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve()}/yinling.db"

    @property
    def asterisk_dir(self) -> Path:
        """Rendered configuration, sounds, run files of this instance's Asterisk."""
        return self.data_dir.resolve() / "asterisk"

    @property
    def own_prompts(self) -> Path:
        return (self.own_prompts_dir or self.data_dir / "prompts").expanduser().resolve()

    @property
    def spoken_dir(self) -> Path:
        """Elders' names and addresses as sound; for the owner's eyes only."""
        return self.data_dir.resolve() / "spoken"

    @property
    def spool_dir(self) -> Path:
        """Where the lifeline script writes calls that no engine saw; one JSON file each."""
        return self.data_dir.resolve() / "spool"

    @property
    def town_dir(self) -> Path:
        """The stand-in for the telephone network: an Asterisk of its own."""
        return self.data_dir.resolve() / "town"

    @property
    def recordings_dir(self) -> Path:
        """What was said in incidents' rooms; one folder per incident, for the owner's eyes only."""
        return self.data_dir.resolve() / "recordings"

    @property
    def heard_dir(self) -> Path:
        """What each side of a demo call heard; one folder per call."""
        return self.data_dir.resolve() / "heard"

    @property
    def log_dir(self) -> Path:
        return self.data_dir.resolve() / "log"

    @property
    def secrets_file(self) -> Path:
        """TOML, mode 0600: AMI passwords, cookie key. Made at first start."""
        return self.data_dir.resolve() / "secrets.toml"


def load_settings(**overrides: object) -> Settings:
    """Read the settings once.

    Raises:
        SettingsError: one sentence that names the first wrong setting.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # names are checked by pydantic
    except ValidationError as exc:
        first = exc.errors()[0]
        if not first["loc"]:
            raise SettingsError(first["msg"].removeprefix("Value error, ")) from None
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"setting {name} (environment IVR_{name.upper()}): {first['msg']}, got {first.get('input')!r}"
        ) from None
    except ValueError as exc:  # a TOML file that does not parse
        raise SettingsError(f"{os.environ.get('IVR_CONFIG', 'ivr.toml')}: {exc}") from None
