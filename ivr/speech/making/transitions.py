"""Phones with their place in the word, transition ids, and Kaldi's transition model.

Every state loops or goes on with equal probability: the network's output every 30 ms says more about
length than a learnt loop would.
"""

from __future__ import annotations

import math

from .kaldi_format import integer, integers, real, token, vector
from .phones import PDF, PHONES, SILENCE, STATES

PLACES = "BIES"
"""Begin, inside, end of a word; a word of its own."""
LOOP = 0.5

PHONE_IDS = {SILENCE: 1}
for _phone in PHONES:
    for _place in PLACES:
        PHONE_IDS[f"{_phone}_{_place}"] = len(PHONE_IDS) + 1

STATES_IN_ORDER = [(name, state) for name in PHONE_IDS for state in range(STATES[name.split("_")[0]])]
TRANSITIONS = {where: (2 * number + 1, 2 * number + 2) for number, where in enumerate(STATES_IN_ORDER)}
"""(placed phone, state) to the ids of its loop and of its way on."""
TRANSITION_COUNT = 2 * len(STATES_IN_ORDER)
DISAMBIGUATION = TRANSITION_COUNT + 1
"""Stands where a word ends in the graph; Vosk reads it from `disambig_tid.int`."""


def placed(sounds: tuple[str, ...]) -> list[str]:
    if len(sounds) == 1:
        return [f"{sounds[0]}_S"]
    return [f"{sounds[0]}_B", *(f"{sound}_I" for sound in sounds[1:-1]), f"{sounds[-1]}_E"]


def transition_model() -> bytes:
    ids = list(PHONE_IDS.values())
    topologies = [-1] + [STATES[name.split("_")[0]] - 1 for name in PHONE_IDS]
    out = token("<TransitionModel>") + token("<Topology>") + integers(ids) + integers(topologies) + integer(2)
    for states in (1, 2):
        out += integer(states + 1)
        for state in range(states):
            out += integer(state) + integer(2)
            out += integer(state) + real(LOOP) + integer(state + 1) + real(1 - LOOP)
        out += integer(-1) + integer(0)
    out += token("</Topology>") + token("<Triples>") + integer(len(STATES_IN_ORDER))
    for name, state in STATES_IN_ORDER:
        out += integer(PHONE_IDS[name]) + integer(state) + integer(PDF[name.split("_")[0], state])
    out += token("</Triples>") + token("<LogProbs>") + vector([0.0] + [math.log(LOOP)] * TRANSITION_COUNT)
    return out + token("</LogProbs>") + token("</TransitionModel>")


def phones_txt() -> str:
    return "<eps> 0\n" + "".join(f"{name} {number}\n" for name, number in PHONE_IDS.items())


def word_boundary() -> str:
    kinds = {"B": "begin", "I": "internal", "E": "end", "S": "singleton"}
    return "".join(
        f"{number} {'nonword' if name == SILENCE else kinds[name[-1]]}\n" for name, number in PHONE_IDS.items()
    )
