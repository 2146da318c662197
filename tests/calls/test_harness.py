"""测试电话网自身：对一个不含银铃代码的 Asterisk。The telephone network's own tests, against a bare Asterisk."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from tests.calls.harness import (
    AgentPhone,
    Answers,
    Busy,
    Declines,
    NoAnswer,
    PortBlock,
    SippFailed,
    Town,
    Unreachable,
    Voicemail,
    best_prompt,
    find_prompt,
)
from tests.calls.harness.bare_asterisk import AsteriskTree, BareAsterisk
from tests.calls.harness.pretend_speech import speech

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]

SECRET = "only-for-this-run-5f21"
WELCOME, SORRY, ELDER_SAYS, AGENT_SAYS = (speech(seed, 4.0) for seed in (1, 2, 3, 4))


def tools() -> tuple[AsteriskTree, list[str]]:
    """Asterisk and SIPp of the tree in IVR_TOOLS_TREE, or of the product's own tools."""
    if named := os.environ.get("IVR_TOOLS_TREE"):
        root = Path(named)
        loader = next(iter(sorted(root.glob("usr/lib*/ld-linux-*"))), None) or next(root.glob("usr/lib/*/ld-linux-*"))
        libraries = next(root.glob("usr/lib/*/asterisk/modules")).parent.parent
        start = [str(loader), "--library-path", str(libraries)]
        tree = AsteriskTree(
            [*start, f"{root}/usr/sbin/asterisk"], libraries / "asterisk/modules", root / "usr/share/asterisk"
        )
        return tree, [*start, f"{root}/usr/bin/sipp"]
    from ivr.asterisk import portable
    from ivr.settings import Settings

    program = portable.asterisk_command(Settings())
    return (
        AsteriskTree(program.argv, program.modules_dir, program.data_dir),
        portable.sipp_command(Settings()),
    )


def pjsip(sip_port: int, trunk_port: int) -> str:
    return f"""
[global]
type=global
endpoint_identifier_order=ip,username
[udp]
type=transport
protocol=udp
bind=127.0.0.1:{sip_port}
[trunk]
type=endpoint
context=calls
disallow=all
allow=alaw
aors=trunk
direct_media=no
[trunk]
type=aor
contact=sip:127.0.0.1:{trunk_port}
[trunk]
type=identify
endpoint=trunk
match=127.0.0.1:{trunk_port}
[1001]
type=endpoint
context=calls
disallow=all
allow=alaw
aors=1001
auth=1001
direct_media=no
rewrite_contact=yes
[1001]
type=aor
max_contacts=1
remove_existing=yes
[1001]
type=auth
auth_type=userpass
username=1001
password={SECRET}
"""


EXTENSIONS = """
[calls]
exten => play,1,Answer()
 same => n,Playback(welcome)
 same => n,Hangup()
exten => digit,1,Answer()
 same => n,Read(KEY,welcome,1,,1,8)
 same => n,Verbose(1,KEY=${KEY})
 same => n,Playback(sorry)
 same => n,Hangup()
exten => echo,1,Answer()
 same => n,Echo()
exten => ring,1,Ringing()
 same => n,Wait(20)
exten => _family1XXXXXXXXXX,1,Answer()
 same => n,Dial(PJSIP/${EXTEN:6}@trunk,4)
 same => n,Verbose(1,DIALSTATUS=${EXTEN:6} ${DIALSTATUS})
 same => n,Playback(sorry)
exten => agent,1,Dial(PJSIP/1001,10)
"""


class Bench:
    """One Asterisk, its ports, and the programs to phone it with."""

    def __init__(self, asterisk: BareAsterisk, sip_port: int, trunk_port: int, sipp: list[str]) -> None:
        self.asterisk, self.sip_port, self.trunk_port, self.sipp = asterisk, sip_port, trunk_port, sipp

    def dial_status(self, number: str) -> list[str]:
        return re.findall(rf"DIALSTATUS={number} (\w+)$", self.asterisk.log(), re.MULTILINE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    tree, sipp = tools()
    with PortBlock() as ports:
        sip_port, trunk_port, rtp = ports.take(), ports.take(), ports.take_range(200)
        configs = {
            "pjsip.conf": pjsip(sip_port, trunk_port),
            "extensions.conf": EXTENSIONS,
            "rtp.conf": f"[general]\nrtpstart={rtp[0]}\nrtpend={rtp[-1]}\nstrictrtp=yes\n",
        }
        asterisk = BareAsterisk(tree, tmp_path_factory.mktemp("asterisk"), configs)
        (asterisk.sounds / "welcome.alaw").write_bytes(WELCOME)
        (asterisk.sounds / "sorry.alaw").write_bytes(SORRY)
        await asterisk.start()
        try:
            yield Bench(asterisk, sip_port, trunk_port, sipp)
        finally:
            await asterisk.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def town(bench: Bench, tmp_path: Path) -> AsyncIterator[Town]:
    before = processes()
    async with Town(bench.sip_port, bench.trunk_port, bench.sipp, folder=tmp_path / "town") as town:
        yield town
    assert town.troubles == []
    for _ in range(50):
        if "0 active channels" in await bench.asterisk.cli("core show channels"):
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail(await bench.asterisk.cli("core show channels"))
    assert processes() == before


def processes() -> set[str]:
    """SIPp processes that this test process started."""
    mine = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            line = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and b"sipp" in line:
            mine.add(status.parent.name)
    return mine


async def test_a_caller_hears_the_prompt_that_is_played(town: Town) -> None:
    elder = await town.call("02150001111", "play", caller_name="张三")
    await elder.answered()
    match = await elder.hears(WELCOME)
    await elder.ended()
    match = find_prompt(elder.heard.pcm(), WELCOME)
    assert match.score > 0.95
    assert match.whole
    assert best_prompt(elder.heard.pcm(), {"welcome": WELCOME, "sorry": SORRY})[0] == "welcome"
    assert find_prompt(elder.heard.pcm(), SORRY).score < 0.3
    assert elder.ended_by == "asterisk"
    assert elder.heard.lost == 0


async def test_asterisk_receives_a_key(town: Town, bench: Bench) -> None:
    elder = await town.call("02150001111", "digit")
    await elder.hears(WELCOME, first_s=1.0)
    elder.press("1")
    await elder.hears(SORRY)
    assert "KEY=1\n" in bench.asterisk.log()
    assert [press.key for press in elder.pressed] == ["1"]
    assert not find_prompt(elder.heard.pcm(), WELCOME).whole  # the key interrupted it
    await elder.hang_up()
    assert elder.ended_by == "phone"


async def test_echo_brings_the_callers_speech_back(town: Town) -> None:
    elder = await town.call("02150001111", "echo", says=ELDER_SAYS)
    match = await elder.hears(ELDER_SAYS)
    assert match.score > 0.9
    await elder.said()
    await asyncio.sleep(0.3)
    assert find_prompt(elder.heard.pcm(), ELDER_SAYS).whole
    assert elder.heard.level_dbfs(until=elder.heard.began_at + 1.0) > -40
    silent_since = elder.heard.last_at
    await asyncio.sleep(0.7)
    assert elder.heard.level_dbfs(since=silent_since + 0.2) < -60
    assert elder.heard.silence_gaps(longer_than=0.4)
    await elder.hang_up()


async def test_a_caller_gives_up_before_the_answer(town: Town) -> None:
    elder = await town.call("02150001111", "ring")
    await elder.ringing()
    await elder.hang_up()
    assert elder.final_status == 487
    assert elder.answered_at is None
    assert elder.ended_by == "phone"


async def test_a_number_that_nobody_has(town: Town, bench: Bench) -> None:
    elder = await town.call("02150001111", "family13900000000")
    invite = await town.exchange.wait_invite("13900000000", within=3)
    await elder.hears(SORRY)
    assert town.exchange.final_status(invite.call_id) == 404
    assert bench.dial_status("13900000000") == ["CHANUNAVAIL"]
    await elder.hang_up()


@pytest.mark.parametrize(
    ("number", "behaviour", "status", "dial_status"),
    [
        ("13800000002", Busy(), 486, "BUSY"),
        ("13800000003", NoAnswer(), 487, "NOANSWER"),
        ("13800000004", Declines(), 603, "CHANUNAVAIL"),
        ("13800000005", Unreachable(), 503, "CONGESTION"),
        ("13800000006", Unreachable(404), 404, "CHANUNAVAIL"),
    ],
)
async def test_family_that_does_not_answer(
    town: Town, bench: Bench, number: str, behaviour: Busy, status: int, dial_status: str
) -> None:
    son = town.family(number, behaviour)
    elder = await town.call("02150001111", f"family{number}")
    call = await son.called()
    await call.ended()
    assert call.final_status == status
    assert call.answered_at is None
    assert (call.rang_at is not None) == isinstance(behaviour, NoAnswer | Declines)
    await elder.hears(SORRY)
    assert bench.dial_status(number) == [dial_status]
    await elder.hang_up()


async def test_family_answers_presses_and_hangs_up(town: Town, bench: Bench) -> None:
    daughter = town.family("13800000001", Answers(after_s=0.5, says=AGENT_SAYS, presses="1", hangs_up_after_s=5.5))
    elder = await town.call("02150001111", "family13800000001", says=ELDER_SAYS)
    call = await daughter.called()
    await call.answered()
    assert call.rang_at
    assert call.answered_at
    assert 0.45 < call.answered_at - call.rang_at < 0.9
    await elder.hears(AGENT_SAYS, first_s=0.8)
    await call.ended()
    assert call.ended_by == "phone"
    assert [press.key for press in call.pressed] == ["1"]
    assert [press.key for press in elder.keys_heard] == ["1"]
    await elder.hang_up()


async def test_two_invites_to_one_number_at_once_and_one_after(town: Town) -> None:
    daughter = town.family("13800000007", Answers(after_s=0.2, says=AGENT_SAYS))
    elders = [await town.call(f"0215000000{n}", "family13800000007") for n in (1, 2)]
    first, second = await daughter.called(nth=1), await daughter.called(nth=2)
    for elder in elders:
        await elder.hears(AGENT_SAYS)
    assert first.talking
    assert second.talking
    await first.hang_up()
    await asyncio.sleep(0.3)
    assert second.talking
    assert {first.caller_id, second.caller_id} <= {"02150000001", "02150000002", "anonymous"}
    daughter.behaves(Busy())
    third = await town.call("02150000003", "family13800000007")
    assert await (await daughter.called(nth=3)).ended()
    assert [call.final_status for call in daughter.calls] == [200, 200, 486]
    for elder in (*elders, third):
        await elder.hang_up()


async def test_voicemail_speaks_and_beeps(town: Town) -> None:
    town.family("13800000008", Voicemail(AGENT_SAYS[:16000], after_s=0.2, records_s=0.2))
    elder = await town.call("02150001111", "family13800000008")
    await elder.hears(AGENT_SAYS[:16000])
    await (await town.phones[0].called()).ended()
    beep = elder.heard.pcm()[-8000:].astype(float)
    spectrum = np.abs(np.fft.rfft(beep))
    assert abs(int(np.argmax(spectrum)) - 1000) < 20
    await elder.hang_up()


async def test_an_agent_registers_is_rung_and_both_hear_each_other(town: Town, bench: Bench) -> None:
    agent = await town.agent("1001", SECRET, Answers(after_s=1, says=AGENT_SAYS))
    assert "1001/sip:1001@127.0.0.1" in await bench.asterisk.cli("pjsip show contacts")
    elder = await town.call("02150001111", "agent", says=ELDER_SAYS)
    call = await agent.called()
    await elder.ringing()
    await elder.answered()
    heard_elder, heard_agent = await call.hears(ELDER_SAYS), await elder.hears(AGENT_SAYS)
    assert min(heard_elder.score, heard_agent.score) > 0.9
    assert call.answered_at
    assert call.answered_at - call.invited_at >= 1
    await call.hang_up()
    await elder.ended()
    await agent.unregister()
    assert "1001/sip:" not in await bench.asterisk.cli("pjsip show contacts")


async def test_a_wrong_secret_is_not_registered(town: Town) -> None:
    with pytest.raises(SippFailed):
        await town.agent("1001", "wrong")
    assert isinstance(town.phones[0], AgentPhone)


async def test_parallel_calls_each_hear_their_own(town: Town) -> None:
    voices = [speech(100 + n, 3.0) for n in range(8)]
    elders = [await town.call(f"0215000010{n}", "echo", says=voice) for n, voice in enumerate(voices)]
    for elder, voice in zip(elders, voices, strict=True):
        assert (await elder.hears(voice)).score > 0.9
    for elder in elders:
        name, match = best_prompt(elder.heard.pcm(), {str(n): v for n, v in enumerate(voices)})
        assert name == elder.caller_id[-1]
        assert match.found
    await asyncio.gather(*(elder.hang_up() for elder in elders))


async def test_the_exchange_survives_garbage(town: Town, bench: Bench) -> None:
    sender, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", bench.trunk_port)
    )
    for junk in (b"", b"\r\n\r\n", b"\xff\xfe" * 700, b"INVITE", b"INVITE sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 x\r\n"):
        sender.sendto(junk)
    sender.close()
    elder = await town.call("02150001111", "play")
    await elder.answered()
    assert town.exchange.garbage >= 4
    await elder.hang_up()


async def test_a_town_closed_in_the_middle_of_everything_leaves_nothing(town: Town) -> None:
    """The `town` fixture looks for what is left."""
    await town.agent("1001", SECRET, Answers(after_s=0.1))
    town.family("13800000009", NoAnswer())
    talking, ringing = await town.call("1", "agent"), await town.call("2", "family13800000009")
    waiting = await town.call("3", "ring")
    await talking.answered()
    await ringing.answered()
    await waiting.ringing()
    await town.exchange.wait_invite("13800000009", within=2)
