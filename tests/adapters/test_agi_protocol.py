"""What Asterisk (or a stranger) writes on an AGI connection, read without sockets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk.agi_protocol import (
    MAX_COMMAND_BYTES,
    MAX_HEADER_BYTES,
    AgiProtocolError,
    AgiReply,
    command_line,
    parse_header,
    parse_reply,
    quote,
)
from tests.doubles.asterisk_side import GREETING, greeting


def test_the_greeting_of_a_call_is_read_as_asterisk_wrote_it() -> None:
    assert parse_header(greeting()) == GREETING


def test_a_name_in_broken_utf8_does_not_cost_the_call() -> None:
    env = parse_header(greeting(agi_calleridname=b"\xe7\x8e\x8b\xe7\xa7\xff\xfe"))
    assert env["agi_calleridname"].startswith("王")
    assert "\ufffd" in env["agi_calleridname"]
    assert env["agi_arg_1"] == "12349"


def test_a_name_of_ten_kilobytes_does_not_cost_the_call() -> None:
    env = parse_header(greeting(agi_calleridname="王" * 3400))
    assert env["agi_uniqueid"] == GREETING["agi_uniqueid"]
    assert env["agi_arg_2"] == "02150001111"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_break_in_a_name_injects_no_field_of_the_channel(end: str) -> None:
    """The caller's name comes after the channel's own fields and before our arguments."""
    evil = end.join(["x", "agi_uniqueid: 1.1", "agi_network_script: seat", "agi_arg_1: 12349120", "agi_arg_2: 110"])
    env = parse_header(greeting(agi_calleridname=evil))
    assert {name: env[name] for name in GREETING if name != "agi_calleridname"} == {
        name: value for name, value in GREETING.items() if name != "agi_calleridname"
    }


def test_a_blank_line_in_a_name_is_no_greeting_rather_than_a_call_without_arguments() -> None:
    """What the reader takes for the whole block ends at the blank line: the number dialled would be missing."""
    cut = greeting(agi_calleridname="x\n\n200 result=49").partition(b"\n\n")[0] + b"\n\n"
    with pytest.raises(AgiProtocolError, match="agi_threadid"):
        parse_header(cut)


def test_a_line_break_without_a_field_is_dropped() -> None:
    env = parse_header(greeting(agi_calleridname="x\nAction: Originate\n中文"))
    assert env == GREETING | {"agi_calleridname": "x"}


@pytest.mark.parametrize(
    "raw",
    [
        b"\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n",
        b"agi_network: yes\n\n",
        b"agi_uniqueid: 1.1\n\n",
        b"\x16\x03\x01\x02\x00\x01\n\n",
        b"a" * (MAX_HEADER_BYTES + 1),
        b"agi_x: y\n" * 101,
    ],
)
def test_what_is_no_greeting_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(AgiProtocolError) as caught:
        parse_header(raw)
    assert "HTTP" not in str(caught.value), "a stranger's bytes are never quoted"


@given(st.binary(max_size=400))
def test_any_bytes_are_a_greeting_or_a_protocol_error(raw: bytes) -> None:
    try:
        env = parse_header(raw)
    except AgiProtocolError:
        return
    assert {"agi_uniqueid", "agi_network_script"} <= env.keys()


@given(st.text(max_size=200))
def test_no_argument_is_ever_more_than_one_argument_on_one_line(value: str) -> None:
    if any(c in value for c in "\r\n\0"):
        with pytest.raises(ValueError, match="line break"):
            quote(value)
        return
    quoted = quote(value)
    assert _parse_args(quoted) == [value]


def _parse_args(line: str) -> list[str]:
    """res_agi.c parse_args, in short: double quotes group, a backslash takes the next character as it is."""
    found, current, quoted, escaped, started = [], "", False, False, False
    for c in line:
        if escaped:
            current, escaped = current + c, False
        elif c == "\\":
            escaped = True
        elif c == '"':
            quoted, started = not quoted, True
        elif c in " \t" and not quoted:
            if started or current:
                found.append(current)
            current, started = "", False
        else:
            current += c
    if started or current:
        found.append(current)
    return found


def test_a_command_longer_than_asterisk_reads_is_never_sent() -> None:
    assert command_line("SET VARIABLE", "IVR_ROUTE", "room") == b'SET VARIABLE "IVR_ROUTE" "room"\n'
    with pytest.raises(ValueError, match="8,000"):
        command_line("SET VARIABLE", "X", "中" * MAX_COMMAND_BYTES)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("200 result=0", AgiReply(200, 0)),
        ("200 result=-1", AgiReply(200, -1)),
        ("200 result=49 endpos=8000", AgiReply(200, 49, "", 8000)),
        ("200 result=0 endpos=0", AgiReply(200, 0, "", 0)),
        ("200 result=1 (zh_CN)", AgiReply(200, 1, "zh_CN")),
        ("200 result=1 ()", AgiReply(200, 1, "")),
        ("510 Invalid or unknown command", AgiReply(510, -1, "Invalid or unknown command")),
        ("511 Command Not Permitted on a dead channel or intercept routine", None),
    ],
)
def test_replies_are_read(line: str, reply: AgiReply | None) -> None:
    found = parse_reply(line)
    assert found is not None
    if reply is None:
        assert (found.code, found.result) == (511, -1)
    else:
        assert found == reply


def test_the_tail_of_a_usage_text_answers_nothing() -> None:
    for line in ("Usage: EXEC <application> <options>", "", "\tExecutes <application>", "Returns whatever"):
        assert parse_reply(line) is None


@pytest.mark.parametrize("line", ["200 ", "200 result=", "200 result=x", "200 OK"])
def test_an_answer_without_a_result_is_no_answer(line: str) -> None:
    with pytest.raises(AgiProtocolError):
        parse_reply(line)
