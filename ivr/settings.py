"""Every port, directory and limit of one instance, from `ivr.toml` and `IVR_…` in the environment.

The environment wins over the file. Two instances run side by side on one machine when
`data_dir` and the ports differ.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ivr.endpoints import is_endpoint

_DIALABLE = re.compile(r"[0-9]{3,15}")
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
    trunk_qualify_s: Annotated[int, Field(ge=0, le=300)] = 0
    """The trunk is asked by OPTIONS so often, and the console says when it does not answer. 0: not asked, except where
    there is a second one: then every 2 s. A provider that answers no OPTIONS at all must not be asked."""
    second_trunk_host: str = ""
    """A second trunk: calls go out by it while the first does not answer, and come in by both. Empty: none."""
    second_trunk_port: Port = 5060
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
    family_start: Literal["alarm", "agent"] = "alarm"
    """Who starts dialling the relatives: the alarm itself, or the agent's word (and by itself when none has come)."""
    family_agent_patience_s: Annotated[int, Field(ge=0, le=600)] = 20
    """With `family_start = "agent"`: no agent has come for so long, and the relatives are dialled after all."""
    family_join: Literal["all", "first"] = "all"
    """Who of the relatives may come into the room: all who accept, or the first only."""
    offer_worker: Literal["never", "on_request", "always"] = "on_request"
    """Whether a care worker is offered the way by phone: never, when somebody asks for it, or for every incident."""
    worker_offer_s: Annotated[int, Field(ge=5, le=600)] = 60
    """The next worker is rung when one has not accepted after this long."""
    worker_rounds: Annotated[int, Field(ge=1, le=10)] = 3
    """How often each worker is asked by one offer."""
    workers_most: Annotated[int, Field(ge=1, le=100)] = 8
    """How many of the ranking are asked."""
    wish_tries: Annotated[int, Field(ge=1, le=10)] = 3
    """A leg that a person wants is dialled so often when nobody comes to the phone."""
    helper_ring_s: Annotated[int, Field(ge=1, le=120)] = 30
    """Workers, hospitals and 120 ring this long."""
    ambulance_number: Annotated[str, Field(pattern=r"^([0-9]{3,15})?$")] = ""
    """The number of 120 as the trunk dials it. Empty: a machine never dials 120."""
    ambulance_endpoint: str = ""
    """Where 120 takes the package (docs/package.md); its secret is `ambulance_secret` in `secrets.toml`."""
    push_timeout_s: Annotated[float, Field(ge=0.5, le=25)] = 10.0
    """One try to deliver a package may take this long."""
    push_give_up_h: Annotated[float, Field(gt=0, le=48)] = 2.0
    """A package nobody takes is tried for so many hours."""
    push_ca_file: Path | None = None
    """Certificates that endpoints are checked with. Unset: the system's."""
    push_insecure: bool = False
    """Certificates are not checked and `http://` is taken: never with real people's data."""
    agent_ring_s: Annotated[int, Field(ge=1, le=120)] = 30
    duty_ring_s: Annotated[int, Field(ge=1, le=120)] = 40
    break_in_s: Annotated[float, Field(ge=0, le=60)] = 3
    """An emergency that finds no free agent takes, after this, the one on the least urgent ordinary call. 0: never."""
    unanswered_break_in_s: Annotated[float, Field(ge=0, le=120)] = 10
    """The same when agents ring for so long and none comes."""
    duty_after_s: Annotated[float, Field(ge=0, le=120)] = 20
    """Agents ring for so long before the duty phone joins; what follows (supervisors …) counts from then."""
    parked_wait_s: Annotated[int, Field(ge=0, le=600)] = 60
    """How long a caller who was parked by that waits for the same agent alone; then whoever is free first."""
    supervisor_phones: str = ""
    """Rung after `supervisor_after_s` when there is no seat at all; numbers, comma between. Like `duty_phone`."""
    on_call_phones: str = ""
    """Mobiles of those on call; rung after `on_call_after_s`."""
    supervisor_after_s: Annotated[float, Field(ge=0, le=120)] = 5
    on_call_after_s: Annotated[float, Field(ge=0, le=120)] = 10
    hospital_after_s: Annotated[float, Field(ge=0, le=300)] = 15
    """Where the elder's file allows it, the hospital of the district or 120 is rung when nobody has come until then."""
    redial_first_s: Annotated[float, Field(ge=0, le=5)] = 2
    """An elder whose emergency line was cut, or who pressed and hung up, is called again after this."""
    redial_tries: Annotated[int, Field(ge=1, le=10)] = 3
    """So often at once; then once a minute, and everybody of the family is dialled at the same time."""
    redial_pause_s: Annotated[float, Field(ge=1, le=60)] = 3
    """Between the end of one of these calls and the next."""
    redial_ring_s: Annotated[int, Field(ge=5, le=60)] = 15
    redial_later_s: Annotated[int, Field(ge=10, le=3600)] = 60
    """After those tries: so often."""
    everybody_after_s: Annotated[float, Field(ge=0, le=600)] = 90
    propose_ambulance_s: Annotated[float, Field(ge=0, le=900)] = 120
    """Without contact for so long, 120 is proposed to the agent."""
    recall_every_s: Annotated[int, Field(ge=10, le=3600)] = 300
    """While help is on its way the elder is called again so often, until somebody is at the door."""
    recall_again_s: Annotated[int, Field(ge=5, le=600)] = 60
    """… after so many seconds when he did not answer."""
    recall_missed: Annotated[int, Field(ge=1, le=10)] = 2
    """So often unanswered in a row is as bad as a word of distress."""
    close_reason_min: Annotated[int, Field(ge=1, le=200)] = 6
    """Characters of the reason for closing an incident without an arrival."""
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
    speech_dictation: Literal["auto", "never", "always"] = "auto"
    """Whether the model writes down whole sentences, in which words are then looked for, instead of hearing a closed
    list. auto: while somebody waits, unless the model is the carried one; always: in every turn that looks for a word
    in a sentence, so also when somebody is asked what he needs. A model that ignores lists always dictates."""
    speech_second_ear: bool = False
    """A caller who waits is heard by a second engine too, which finds distress inside sentences (docs/speech.md). One
    process more: 446 MB, 0.4 of a core while somebody speaks. Needs the extra `second-ear`; without it calls go on."""
    join_window_s: Annotated[int, Field(ge=0, le=3600)] = 60
    """Alarm, call and location of one elder that come within this time are one incident; a retry without a key too."""
    clock_tolerance_s: Annotated[int, Field(ge=1)] = 300
    """A sender's clock that is further from ours than this is marked as wrong; nothing is refused for it."""
    trunk_ports: Annotated[int, Field(ge=2, le=10000)] = 60
    """Lines that the trunk has."""
    trunk_reserved_share: Annotated[float, Field(ge=0, le=0.9)] = 0.3
    """Of these, the share that calls of a storm leave free for new emergencies."""
    storm_waiting_per_seat: Annotated[int, Field(ge=1, le=1000)] = 5
    """A storm begins when more incidents than this wait for each ready seat, with nobody there and no line."""
    storm_alarms_per_min: Annotated[int, Field(ge=1, le=100000)] = 60
    """Or when so many alarms have come within a minute."""
    triage_tries: Annotated[int, Field(ge=1, le=10)] = 2
    """How often an elder is called and asked in a storm before he counts as not reached."""
    triage_again_s: Annotated[float, Field(ge=1, le=600)] = 30.0
    """Pause between two such calls."""
    triage_ring_s: Annotated[int, Field(ge=1, le=120)] = 25
    listen_while_waiting: bool = True
    """A caller in the queue is heard: what he asks for is noted, and a word of distress makes his call an emergency."""
    ask_wish_when_busy: bool = True
    """A caller whom nobody took from the queue is asked by voice what he needs and whether we may call him back, before
    the duty phone is rung. Only where speech is understood; whatever is not understood rings the duty phone."""

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

    @field_validator("supervisor_phones", "on_call_phones")
    @classmethod
    def _dialable(cls, text: str) -> str:
        for phone in _phones(text):
            if not _DIALABLE.fullmatch(phone):
                raise ValueError(f"3 to 15 digits each, comma between: {phone!r}")
        return text

    @model_validator(mode="after")
    def _slots_are_left(self) -> Self:
        if self.speech_slots_for_emergencies >= self.speech_slots:
            raise ValueError("speech_slots_for_emergencies: must be less than speech_slots")
        return self

    @model_validator(mode="after")
    def _endpoint_is_one(self) -> Self:
        if self.ambulance_endpoint and not is_endpoint(self.ambulance_endpoint, insecure=self.push_insecure):
            raise ValueError("ambulance_endpoint: must be an https:// address")
        return self

    @cached_property
    def supervisors(self) -> tuple[str, ...]:
        return _phones(self.supervisor_phones)

    @cached_property
    def on_call(self) -> tuple[str, ...]:
        return _phones(self.on_call_phones)

    @cached_property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve()}/yinling.db"

    @property
    def trunk_asked_s(self) -> int:
        """Seconds between two OPTIONS to a trunk; 0: never."""
        return self.trunk_qualify_s or (2 if self.second_trunk_host else 0)

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


def _phones(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phone for part in text.split(",") if (phone := part.strip())))


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
