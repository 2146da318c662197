"""一个不含银铃代码的小 Asterisk。A tiny Asterisk without any of Yinling's code, for the harness's own tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.calls.harness import console

MODULES = """
res_pjproject res_sorcery_config res_sorcery_memory res_sorcery_astdb res_timing_timerfd res_musiconhold
res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_pubsub res_pjsip_mwi res_pjsip_exten_state
res_pjsip_registrar res_pjsip_authenticator_digest res_pjsip_outbound_authenticator_digest
res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_caller_id res_pjsip_nat
res_pjsip_rfc3326 res_rtp_asterisk chan_pjsip bridge_simple bridge_native_rtp bridge_softmix
app_dial app_playback app_echo app_read app_stack app_verbose app_userevent pbx_config func_callerid func_channel
func_logic func_strings codec_alaw codec_ulaw format_pcm format_wav format_sln
""".split()


@dataclass(frozen=True)
class AsteriskTree:
    """Where an Asterisk lives and how it is started; the same fields as ivr.asterisk.portable.AsteriskProgram."""

    argv: list[str]
    modules_dir: Path
    data_dir: Path


class BareAsterisk:
    """`configs` are further configuration files by name (pjsip.conf, extensions.conf …)."""

    def __init__(self, tree: AsteriskTree, folder: Path, configs: Mapping[str, str]) -> None:
        self._tree, self.folder = tree, folder
        self._process: asyncio.subprocess.Process | None = None
        for name in ("etc", "run", "spool", "log", "db", "data/sounds/en"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "data/documentation").symlink_to(tree.data_dir / "documentation")
        own = {
            "asterisk.conf": (
                f"[directories]\nastetcdir => {folder}/etc\nastmoddir => {tree.modules_dir}\n"
                f"astvarlibdir => {folder}/db\nastdbdir => {folder}/db\nastkeydir => {folder}/db\n"
                f"astdatadir => {folder}/data\nastagidir => {folder}/db\nastspooldir => {folder}/spool\n"
                f"astrundir => {folder}/run\nastlogdir => {folder}/log\n"
                "[options]\nverbose = 3\nnocolor = yes\ndefaultlanguage = en\n"
            ),
            "modules.conf": "[modules]\nautoload = no\n" + "".join(f"load = {m}.so\n" for m in MODULES),
            "logger.conf": "[general]\n[logfiles]\nfull => notice,warning,error,verbose\n",
            "stasis.conf": "",
        }
        for name, text in {**own, **configs}.items():
            (folder / "etc" / name).write_text(text, "utf-8")

    @property
    def sounds(self) -> Path:
        return self.folder / "data/sounds/en"

    async def start(self, within: float = 30.0) -> None:
        with (self.folder / "log/console").open("wb") as console:
            self._process = await asyncio.create_subprocess_exec(
                *self._tree.argv,
                *("-C", f"{self.folder}/etc/asterisk.conf", "-f"),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TERM": "dumb"},
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(within):
                await self.cli("core waitfullybooted", patient=True)
        except BaseException:
            await self.stop()
            raise

    async def cli(self, command: str, patient: bool = False) -> str:
        """One console command; `patient`: again until Asterisk listens."""
        while True:
            output = await console.ask(self.folder / "run/asterisk.ctl", command)
            if output is not None or not patient:
                return output or ""
            if self._process is None or self._process.returncode is not None:
                raise RuntimeError("Asterisk ended while starting:\n" + self.log()[-3000:])
            await asyncio.sleep(0.2)

    def log(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log/full").read_text("utf-8", "replace")
        return (self.folder / "log/console").read_text("utf-8", "replace")

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
        self._process = None
