"""Which turns are heard by the model's own language, and which by a closed grammar.

While somebody waits (`listen`) people talk in sentences, and a closed grammar does not find a word in a sentence: with
`[unk]` it hears only `[unk]`. A turn that asks (services, people) is mostly answered by a word or two, which a closed
grammar hears best and dictation writes with other characters; there it stays with the grammar unless a centre says
otherwise. Answers that must be all that was said, digits and times always do.

The carried model was made from phrases: dictating it raises 71 false alarms an hour of talk, with its grammar 13
(docs/speech.md). It always has a grammar. A model with its graph made ahead always dictates: Vosk ignores the grammar
that it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ivr.speech.grammar import Grammar, load_grammar
from ivr.speech.models import CARRIED_MODEL, FoundModel

Choice = Literal["auto", "never", "always"]
"""The setting `speech_dictation`."""
WHILE_WAITING = "listen"

Dictates = Callable[[Grammar], bool]


def dictates(choice: Choice, model: FoundModel) -> Dictates:
    def by_choice(grammar: Grammar) -> bool:
        if not model.takes_grammar:
            return True
        if choice == "never" or grammar.whole or grammar.sequence:
            return False
        if choice == "always":
            return True
        return grammar.name == WHILE_WAITING and model.path.resolve() != CARRIED_MODEL.resolve()

    return by_choice


def told(choice: Choice, model: FoundModel) -> tuple[str, str]:
    """For people, in Chinese and English: when it dictates; empty when never."""
    hears = dictates(choice, model)
    if not model.takes_grammar or not hears(load_grammar(WHILE_WAITING)):
        return "", ""
    if hears(load_grammar("services")):
        return "，凡在句子里找词的都听写", ", dictates wherever words are looked for in sentences"
    return "，等候时听写", ", dictates while somebody waits"
