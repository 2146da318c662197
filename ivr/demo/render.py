"""Writes the town's Asterisk into `data_dir/town/`."""

from __future__ import annotations

import math
import wave
from dataclasses import dataclass
from pathlib import Path

from ivr.asterisk.config import PROMPTS, SIP_REALM, SeatLogin
from ivr.asterisk.instance_files import link_asterisk_data, templates_in, write_private
from ivr.asterisk.portable import AsteriskProgram
from ivr.demo import people
from ivr.prompts.alaw import RATE, encode
from ivr.prompts.install import install_prompts
from ivr.settings import Settings

TEMPLATES = Path(__file__).with_name("asterisk")
FALLBACK_S = 4.0
BEEP_HZ, BEEP_S = 1000, 0.6

# Far ends only: no bridge, no queue, no AGI.
MODULES = """
res_pjproject res_sorcery_config res_sorcery_memory res_sorcery_astdb res_timing_timerfd res_crypto
res_rtp_asterisk format_pcm format_wav codec_alaw res_pjsip res_pjsip_session res_pjsip_sdp_rtp
res_pjsip_pubsub res_pjsip_mwi res_pjsip_outbound_publish res_pjsip_exten_state
res_pjsip_endpoint_identifier_ip res_pjsip_caller_id
res_pjsip_authenticator_digest res_pjsip_outbound_authenticator_digest
res_pjsip_outbound_registration chan_pjsip
app_playback app_senddtmf app_mixmonitor app_stack app_waitforcond
func_callerid func_channel func_strings func_logic func_global res_clioriginate pbx_config
""".split()


@dataclass(frozen=True)
class Centre:
    """How long the real system speaks: people of the town wait until it has finished."""

    sounds: Path

    def seconds(self, prompt: str) -> float:
        path = next(iter(sorted(self.sounds.glob(f"{prompt}.*"), reverse=True)), None)  # as Asterisk: wav wins
        if path is None:
            return FALLBACK_S
        if path.suffix == ".wav":
            with wave.open(str(path)) as sound:
                return float(sound.getnframes() / sound.getframerate())
        return path.stat().st_size / RATE


def centre_address(settings: Settings) -> str:
    """Where the real system's SIP is, seen from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.bind_host, settings.bind_host)  # noqa: S104
    return f"{host}:{settings.sip_port}"


def sounds_of(settings: Settings) -> Path:
    """What the real system speaks, as this instance installed it."""
    return settings.asterisk_dir / "data" / "sounds" / "zh_CN"


def config_of(settings: Settings) -> Path:
    return settings.town_dir / "etc" / "asterisk.conf"


def render_town(settings: Settings, program: AsteriskProgram, seat: SeatLogin | None) -> Path:
    """Returns the path of its asterisk.conf. Without a seat nobody sits at the agent's telephone."""
    root = settings.town_dir
    folders = {name: root / name for name in ("etc", "data", "spool", "run", "log", "db")}
    for folder in (*folders.values(), folders["data"] / "keys"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.heard_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    recordings = folders["spool"] / "monitor"  # MixMonitor's own place, so that no path goes through the dialplan
    if not recordings.is_symlink() or recordings.readlink() != settings.heard_dir:
        recordings.unlink(missing_ok=True)
        recordings.symlink_to(settings.heard_dir)
    values = {
        "s": settings,
        "centre": centre_address(settings),
        "seat": seat,
        "realm": SIP_REALM,
        "elder": people.ELDER,
        "people": people,
        "duty": settings.duty_phone or people.DUTY,
        "seconds": Centre(sounds_of(settings)).seconds,
        "modules": MODULES,
        "modules_dir": program.modules_dir,
        **folders,
    }
    environment = templates_in(TEMPLATES)
    for name in environment.list_templates(extensions=["j2"]):
        write_private(folders["etc"] / name.removesuffix(".j2"), environment.get_template(name).render(values))
    link_asterisk_data(folders["data"], program.data_dir)
    sounds = folders["data"] / "sounds" / "zh_CN" / "demo"
    install_prompts(PROMPTS / "demo", None, sounds)
    write_beep(sounds / "beep.alaw")
    return config_of(settings)


def write_beep(path: Path) -> None:
    """What a voicemail sends after it has spoken."""
    step = 2 * math.pi * BEEP_HZ / RATE
    path.write_bytes(encode(round(8000 * math.sin(step * n)) for n in range(round(BEEP_S * RATE))))
