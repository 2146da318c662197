"""Made the clips beside it: `build/prompts-venv/bin/python -m tests.data.speech.calls.make` (Kokoro, see prompts/).

Two voices that no model of this project was trained on. A-law at 8 kHz without a header, as a telephone sends it.
"""

from __future__ import annotations

from pathlib import Path

CLIPS = {
    "accept": ("zf_xiaoni", "我马上来"),
    "accept_man": ("zm_yunjian", "可以接"),
    "decline": ("zf_xiaoni", "现在不方便"),
    "decline_man": ("zm_yunjian", "我在开会"),
    "fall": ("zm_yunjian", "我摔倒了"),
    "fall_woman": ("zf_xiaoni", "我摔倒了"),
    "fallen_bed": ("zm_yunjian", "我妈从床上掉下来了说不出话"),
    "balcony": ("zf_xiaoni", "我刚刚在阳台上摔了一大跤腰动不了"),
    "breath": ("zm_yunjian", "喘不上气"),
    "chest": ("zf_xiaoni", "胸口疼"),
    "cleaning": ("zf_xiaoni", "打扫卫生"),
    "cleaning_man": ("zm_yunjian", "打扫卫生"),
    "meal": ("zf_xiaoni", "订餐"),
    "yes": ("zf_xiaoni", "同意"),
    "no": ("zf_xiaoni", "不可以"),
    "again": ("zf_xiaoni", "再说一遍"),
    "again_man": ("zm_yunjian", "再说一遍"),
    "well": ("zf_xiaoni", "我没事"),
    "well_man": ("zm_yunjian", "我没事"),
    "help": ("zf_xiaoni", "救命"),
    "first_aid": ("zf_xiaoni", "急救"),
    "fire_man": ("zm_yunjian", "着火了"),
    "call_back": ("zf_xiaoni", "打回来"),
    "smalltalk": ("zf_xiaoni", "今天外面的天气挺好的，邻居家的小猫又来了"),
    "voicemail": (
        "zm_yunjian",
        "您好，我是张先生，现在没有办法接听您的电话。好的，请在提示音之后留下您的姓名和号码，我会马上回复您。可以的话，请发短信。",
    ),
}
SLOWLY = {"help": 0.75}
"""At 0.9 the carried model understands 救命 of neither voice; the tests with it are about the way, not the model."""
HERE = Path(__file__).parent


def main() -> None:
    import numpy as np
    from scipy.signal import resample_poly

    from ivr.prompts.build import KOKORO_RATE, Kokoro
    from ivr.prompts.tools import kokoro_files
    from tests.calls.harness.g711 import RATE, encode_alaw

    kokoro = Kokoro(kokoro_files(Path("build/kokoro"), print))
    for name, (voice, text) in CLIPS.items():
        target = HERE / f"{name}.alaw"
        if target.exists():
            continue
        sound = kokoro.say(text, kokoro.style(voice), SLOWLY.get(name, 0.9))
        line = resample_poly(sound, RATE // 8000, KOKORO_RATE // 8000)
        line = line / np.max(np.abs(line)) * 12000
        loud = np.flatnonzero(np.abs(line) > 150)
        line = line[max(0, loud[0] - 400) : loud[-1] + 800]
        target.write_bytes(encode_alaw(line.astype(np.int16)))
        print(name, round(len(line) / RATE, 2), "s", flush=True)


if __name__ == "__main__":
    main()
