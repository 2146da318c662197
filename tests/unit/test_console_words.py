"""The console knows no grammar, the grammars know no console: what one says, the other must have a word for."""

from __future__ import annotations

from datetime import UTC, datetime

from agent_console import words
from agent_console.api.shapes import EventOut, IncidentOut, WaitingOut
from agent_console.live.hub import touched
from agent_console.pages.render import Pages, story
from ivr.speech.grammar import load_grammar
from ivr.store.journal import Event

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SHOWN = ("services", "distress", "listen")


def test_every_meaning_that_may_be_shown_has_a_word() -> None:
    said = {meant for name in SHOWN for meant in load_grammar(name).ids}
    assert {"service.meal", "distress.fall"} <= said
    assert said - words.MEANINGS.keys() == set()
    assert words.MEANINGS.keys() - said == set(), "a word for what nobody can say any more"


def test_no_two_meanings_look_the_same() -> None:
    assert len(set(words.MEANINGS.values())) == len(words.MEANINGS)


def test_what_was_heard_is_told_in_words() -> None:
    incident = IncidentOut(
        id="1", state="open", elder=None, elder_choices=[], needs_look=False, opened_at=NOW, closed_at=None,
        closed_by=None, outcome=None, reason=None, alarms=[], legs=[], events=[],
    )  # fmt: skip
    heard = EventOut.model_validate({"seq": 1, "at": NOW, "kind": "speech.heard", "meaning": "distress.fall"})
    assert story(heard, incident) == "听到 摔倒"
    assert words.SOURCES["listening"] == "等候时听到求救"


def test_the_waiting_list_says_what_a_caller_asked_for() -> None:
    def shown(category: str | None, note: str | None = None) -> str:
        waits = WaitingOut(
            call_id="1", caller_id="", elder=None, elder_choices=[], waited_s=1.0, since=NOW, position=1, priority=0,
            category=category, note=note,
        )  # fmt: skip
        return Pages().part("queue", {"waiting": [waits]})

    assert "需要：助餐" in shown("service.meal")
    assert "需要：&lt;b&gt;" in shown("<b>"), "a category that a person wrote is shown as it is"
    assert "需要" not in shown(None)
    assert "语音听到" not in shown("service.meal", "语音听到：助餐"), "one wish is said once"
    assert "语音听到：助餐、助浴" in shown("service.meal", "语音听到：助餐、助浴")


def test_what_is_heard_changes_the_waiting_list_and_the_incident() -> None:
    def names(incident_id: str | None) -> set[str]:
        return touched(Event(1, NOW, "speech.heard", incident_id, None, "c1", None, None, {}))

    assert names(None) == {"queue"}
    assert names("i1") == {"queue", "incident:i1"}
