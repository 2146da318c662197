"""Who speaks: voices to learn from, and voices kept for testing."""

from __future__ import annotations

import random

KOKORO_TESTS = ("zf_xiaoni", "zm_yunjian")
"""Kept for testing: never trained on, not even in a mixture."""
MANDARIN = ("zf_xiaobei", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunxi", "zm_yunxia", "zm_yunyang")
OTHERS = tuple(
    "af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nova af_river af_sarah af_sky am_adam am_echo am_eric "
    "am_fenrir am_liam am_michael am_onyx am_puck bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable bm_george "
    "ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo "
    "pf_dora pm_alex ef_dora em_alex".split()
)
"""Speakers of other languages: mixed with a Mandarin voice they give new throats with a Mandarin accent."""

ESPEAK_TESTS = ("f3", "f4", "m2", "m6")
"""Kept for testing: never trained on."""
ESPEAK_TRAINING = tuple(
    "f1 f2 f5 m1 m3 m4 m5 m7 m8 Alex Alicia Andrea Andy Annie anika antonio aunty belinda benjamin boris caleb david "
    "Denis Diogo ed edward gene grandma grandpa iven jacky john lee linda max Michael mike pablo paul pedro quincy rob "
    "robert sandro steph steph2 travis victor zac klatt klatt2 klatt4".split()
)


def kokoro_training(rng: random.Random) -> str:
    """A third as they are; else a mixture of two Mandarin voices, or of one with a foreign one."""
    own, kind = rng.choice(MANDARIN), rng.random()
    if kind < 0.3:
        return own
    if kind < 0.5:
        other, share = rng.choice([name for name in MANDARIN if name != own]), rng.uniform(0.4, 0.8)
    else:
        other, share = rng.choice(OTHERS), rng.uniform(0.35, 0.75)
    return f"{own}*{share:.2f}+{other}"


def kept_for_tests(voice: str) -> bool:
    """Whether it is such a voice, or a mixture with one in it."""
    return not {*KOKORO_TESTS, *ESPEAK_TESTS}.isdisjoint(voice.replace("*", "+").split("+"))
