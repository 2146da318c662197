"""What an elder is asked in a storm, and what each answer does: on record before he hears about it."""

from __future__ import annotations

import pytest

from ivr.callflows.call import CallerHungUp
from ivr.callflows.triage import triage_leg
from ivr.domain.storm import StormPolicy, Triage
from ivr.services.triage_desk import TriageDesk
from tests.doubles.memory_store import ROOM, MemoryLegs
from tests.doubles.scripted_call import ScriptedCall


class Records:
    """The storm's records, as far as one call needs them."""

    def __init__(self, story: list[str], *, holds: bool = True) -> None:
        self.story = story
        self.holds = holds

    async def heard(self, attempt: str, said: Triage, *, hold_at_most: int) -> bool:
        assert hold_at_most == 21
        self.story.append(f"heard {said}")
        return self.holds


async def told(*presses: str, hears: bool = False, holds: bool = True, gone_at: str = "") -> list[str]:
    story: list[str] = []
    call = ScriptedCall(*presses, story=story, gone_at=gone_at)
    call.hears = hears
    desk = TriageDesk(Records(story, holds=holds), MemoryLegs(story), StormPolicy())  # type: ignore[arg-type]
    await triage_leg(call, desk, "A1", ROOM)
    return story


QUESTION = "ask triage/question 0123456789*#"
SAID = "ask triage/question_say 0123456789*#"
CONFIRM = "ask triage/confirm 0123456789*#"
SAFE = ["heard safe", "play triage/safe", "hangup"]


def need(what: str) -> list[str]:
    return [f"heard {what}", "accept A1", "play emergency/help_is_coming", f"room {ROOM} elder"]


async def test_one_is_safe_and_the_call_ends() -> None:
    assert await told("1") == [QUESTION, *SAFE]


@pytest.mark.parametrize("key", ["2", "0", "9", "*", "#"])
async def test_any_other_key_is_help(key: str) -> None:
    assert await told(key) == [QUESTION, *need("help")]


async def test_silence_counts_as_need_and_keeps_the_line() -> None:
    assert await told("") == [QUESTION, *need("silent")]


@pytest.mark.parametrize("said", ["unwell", "distress.fall", "?"])
async def test_pain_distress_and_words_nobody_understood_are_help(said: str) -> None:
    assert await told(said, hears=True) == [SAID, *need("help")]


@pytest.mark.parametrize("second", ["well", "1"])
async def test_safe_by_voice_is_asked_twice(second: str) -> None:
    assert await told("well", second, hears=True) == [SAID, CONFIRM, *SAFE]


@pytest.mark.parametrize("second", ["unwell", "", "?", "2", "distress.help"])
async def test_a_word_that_was_misheard_makes_nobody_safe(second: str) -> None:
    assert await told("well", second, hears=True) == [SAID, CONFIRM, *need("help")]


async def test_when_too_many_wait_on_the_line_he_is_called_back() -> None:
    story = await told("2", holds=False)
    assert story == [QUESTION, "heard help", "play triage/call_back", "hangup"]


async def test_who_hangs_up_during_the_question_has_said_nothing() -> None:
    """The record then says: answered, ended, no word; the storm desk takes it for need."""
    with pytest.raises(CallerHungUp):
        await told(gone_at="ask")
