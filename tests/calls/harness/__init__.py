"""测试用的电话网。The telephone network for tests: SIPp does all SIP signalling, Python carries media and glue.

`Town` is the way in; see town.py for an example.
"""

from tests.calls.harness.behaviours import (
    Answers,
    Behaviour,
    Busy,
    Declines,
    NoAnswer,
    Unreachable,
    Voicemail,
    beep,
)
from tests.calls.harness.exchange import CallRecord, Exchange, Invite
from tests.calls.harness.legs import Elder, IncomingLeg, Leg
from tests.calls.harness.listen import SAME, Match, best_prompt, find_prompt
from tests.calls.harness.phones import AgentPhone, DutyPhone, FamilyPhone, Phone
from tests.calls.harness.ports import NoFreePorts, PortBlock
from tests.calls.harness.recording import Gap, Recording
from tests.calls.harness.rtp import Press, RtpPeer
from tests.calls.harness.sipp import Sipp, SippCommand, SippFailed
from tests.calls.harness.town import Town
from tests.calls.harness.waiting import Bell, DidNotHappen

__all__ = [
    "SAME",
    "AgentPhone",
    "Answers",
    "Behaviour",
    "Bell",
    "Busy",
    "CallRecord",
    "Declines",
    "DidNotHappen",
    "DutyPhone",
    "Elder",
    "Exchange",
    "FamilyPhone",
    "Gap",
    "IncomingLeg",
    "Invite",
    "Leg",
    "Match",
    "NoAnswer",
    "NoFreePorts",
    "Phone",
    "PortBlock",
    "Press",
    "Recording",
    "RtpPeer",
    "Sipp",
    "SippCommand",
    "SippFailed",
    "Town",
    "Unreachable",
    "Voicemail",
    "beep",
    "best_prompt",
    "find_prompt",
]
