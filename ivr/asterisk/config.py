"""Renders one complete Asterisk configuration for this instance from `asterisk-conf/` and `dialplans/`."""

from __future__ import annotations

import logging
import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivr.asterisk.instance_files import link_asterisk_data, templates_in, write_private
from ivr.domain.numbers import is_dialable
from ivr.prompts.install import Installed, install_prompts
from ivr.prompts.music import own_music
from ivr.settings import PROJECT_ROOT, Settings, SettingsError

log = logging.getLogger(__name__)

CONF_TEMPLATES = PROJECT_ROOT / "asterisk-conf"
DIALPLAN_TEMPLATES = PROJECT_ROOT / "dialplans"
PROMPTS = PROJECT_ROOT / "prompts"

# The whole list; asterisk-notes 5.2 says what stays out and why.
MODULES = """
res_pjproject res_sorcery_config res_sorcery_memory res_sorcery_astdb res_timing_timerfd res_crypto
res_http_websocket res_aeap res_speech res_speech_aeap
res_rtp_asterisk res_agi res_musiconhold res_mutestream res_stasis format_pcm format_wav codec_alaw
codec_ulaw codec_resample res_pjsip res_pjsip_pubsub res_pjsip_session res_pjsip_sdp_rtp
res_pjsip_mwi res_pjsip_outbound_publish res_pjsip_exten_state res_pjsip_registrar res_pjsip_authenticator_digest
res_pjsip_outbound_authenticator_digest res_pjsip_outbound_registration
res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_caller_id
res_pjsip_nat res_pjsip_rfc3326 res_pjsip_dtmf_info res_pjsip_acl chan_pjsip bridge_simple
bridge_softmix bridge_holding bridge_builtin_features app_dial app_playback
app_queue app_chanspy app_confbridge app_stack app_senddtmf app_mixmonitor app_exec func_callerid func_channel
func_strings func_logic func_timeout func_cdr func_global func_devstate res_manager_devicestate
func_pjsip_aor func_pjsip_contact pbx_config
""".split()

# The events the engine acts on; everything else never leaves Asterisk.
EVENTS = """
FullyBooted Shutdown Newstate Hangup OriginateResponse QueueCallerJoin QueueCallerLeave
QueueCallerAbandon AgentConnect DialEnd DeviceStateChange ContactStatus
CoreShowChannel CoreShowChannelsComplete QueueParams QueueMember QueueEntry QueueStatusComplete
DeviceStateListComplete
""".split()

# Events that every call would bring and that neither we nor a second observer of calls wants.
DISABLED_EVENTS = """
Newexten VarSet Newchannel NewCallerid NewConnectedLine NewAccountCode Rename DialBegin DialState
HangupRequest SoftHangupRequest HangupHandlerPush HangupHandlerPop HangupHandlerRun BridgeCreate BridgeEnter
BridgeLeave BridgeDestroy BridgeMerge LocalBridge MusicOnHoldStart MusicOnHoldStop DTMFBegin DTMFEnd Hold Unhold
ConfbridgeStart ConfbridgeEnd ConfbridgeJoin ConfbridgeLeave ConfbridgeTalking PeerStatus
AgentRingNoAnswer ExtensionStatus Registry SessionTimeout MessageWaiting
""".split()

SIP_REALM = "yinling"
SILENCE = "listen/silence"
"""One second of nothing: `SPEECH RECOGNIZE` wants a prompt, and where we only listen there is none."""


@dataclass(frozen=True, slots=True)
class SeatLogin:
    """What Asterisk needs of a seat: extension and MD5(extension:realm:secret)."""

    extension: str
    sip_digest: str


@dataclass(frozen=True, slots=True)
class AmiSecrets:
    ami_reader: str
    ami_actor: str


def _checked(settings: Settings, seats: Sequence[SeatLogin]) -> None:
    for name in ("hotline_number", "one_key_number", "trunk_caller_id"):
        if not is_dialable(getattr(settings, name)):
            raise SettingsError(f"setting {name}: 3 to 15 digits, got {getattr(settings, name)!r}")
    if settings.duty_phone and not is_dialable(settings.duty_phone):
        raise SettingsError(f"setting duty_phone: 3 to 15 digits or empty, got {settings.duty_phone!r}")
    if settings.rtp_end - settings.rtp_start < 20:
        raise SettingsError("settings rtp_start, rtp_end: the range must hold at least 20 ports")
    for host in ("bind_host", "trunk_host", *(["second_trunk_host"] if settings.second_trunk_host else [])):
        if not re.fullmatch(r"[A-Za-z0-9.\-:\[\]]+", getattr(settings, host)):
            raise SettingsError(f"setting {host}: not an address: {getattr(settings, host)!r}")
    for seat in seats:
        if not re.fullmatch(r"[0-9]{3,8}", seat.extension) or not re.fullmatch(r"[0-9a-f]{32}", seat.sip_digest):
            raise SettingsError(f"agent {seat.extension!r}: an extension is 3 to 8 digits")


def render(
    settings: Settings,
    secrets: AmiSecrets,
    seats: Sequence[SeatLogin],
    *,
    modules_dir: Path,
    asterisk_data_dir: Path,
) -> Path:
    """Write the configuration, sounds and AGI script of this instance; returns the path of asterisk.conf.

    Raises:
        SettingsError: a value that must not reach a configuration file.
    """
    _checked(settings, seats)
    root = settings.asterisk_dir
    folders = {name: root / name for name in ("etc", "data", "agi-bin", "spool", "run", "log", "db")}
    for folder in (*folders.values(), settings.spool_dir, folders["etc"] / "custom", folders["data"] / "keys"):
        folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "s": settings,
        "secrets": secrets,
        "seats": seats,
        "realm": SIP_REALM,
        "modules": MODULES,
        "events": EVENTS,
        "disabled_events": DISABLED_EVENTS,
        "modules_dir": modules_dir,
        "max_calls": 1000,
        "numbers": [settings.hotline_number, settings.one_key_number],
        "duty": settings.duty_phone,
        **{name.replace("-", "_"): path for name, path in folders.items()},
    }
    _make_recordings(folders["spool"], settings)
    for templates in (CONF_TEMPLATES, DIALPLAN_TEMPLATES):
        environment = templates_in(templates)
        for name in environment.list_templates(extensions=["j2"]):
            write_private(folders["etc"] / name.removesuffix(".j2"), environment.get_template(name).render(values))
    _link_data(folders["data"], asterisk_data_dir, settings)
    _write_agi(folders["agi-bin"] / "lifeline", settings)
    return folders["etc"] / "asterisk.conf"


def render_seats(settings: Settings, seats: Sequence[SeatLogin]) -> None:
    """Only the seats' file, after somebody was added; followed by `module reload res_pjsip.so`."""
    _checked(settings, seats)
    text = templates_in(CONF_TEMPLATES).get_template("pjsip_agents.conf.j2").render(seats=seats, realm=SIP_REALM)
    write_private(settings.asterisk_dir / "etc" / "pjsip_agents.conf", text)


def _make_recordings(spool: Path, settings: Settings) -> None:
    """MixMonitor writes below `spool/monitor`. Without the folder calls go on, and nothing is recorded."""
    folder, link = settings.recordings_dir, spool / "monitor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not link.is_symlink() or link.readlink() != folder:
            link.unlink(missing_ok=True)
            link.symlink_to(folder)
    except OSError as exc:
        log.error("rooms will not be recorded: %s: %s", folder, exc.strerror)


def _link_data(data: Path, asterisk_data_dir: Path, settings: Settings) -> None:
    """Asterisk's own documentation and our sounds, side by side."""
    link_asterisk_data(data, asterisk_data_dir)
    install_sounds(settings)


def install_sounds(settings: Settings) -> Installed:
    """Prompts and music on hold of this instance; may be done again under a living Asterisk."""
    data = settings.asterisk_dir / "data"
    sounds = data / "sounds"
    installed = install_prompts(PROMPTS / "zh_CN", settings.own_prompts, sounds / "zh_CN")
    for refused in installed.refused:
        log.warning("own recording not used, ours is played: %s", refused)
    for name in installed.unknown:
        log.warning("own recording %s is called like no prompt: nothing of ours plays it", name)
    silence = sounds / "zh_CN" / f"{SILENCE}.alaw"
    silence.parent.mkdir(parents=True, exist_ok=True)
    silence.write_bytes(b"\xd5" * 8000)
    own = own_music(sounds, data / "own-music", frozenset(installed.own))
    for name in ("queue", "emergency"):
        folder = data / "moh" / name
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / f"{name}.alaw"
        target = own.get(name, PROMPTS / "moh" / f"{name}.alaw")
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return installed


def _write_agi(path: Path, settings: Settings) -> None:
    script = Path(__file__).with_name("lifeline_agi.py")
    # Asterisk sends SIGHUP when the caller hangs up; before Python has started that would end the script, and a
    # press-and-hang-up would be on no record. Ignored signals stay ignored across exec.
    lines = ("#!/bin/sh", "trap '' HUP PIPE", f'exec "{sys.executable}" -I "{script}" "{settings.spool_dir}" "$@"')
    write_private(path, "\n".join(lines) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
