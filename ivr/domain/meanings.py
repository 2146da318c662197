"""What a word of distress is called, for people: ids of `ivr/speech/grammars/distress.toml`."""

from __future__ import annotations

DISTRESS = {
    "distress.help": "求救",
    "distress.fall": "摔倒",
    "distress.chest": "胸口难受",
    "distress.breath": "喘不上气",
    "distress.fire": "着火、煤气、触电",
    "distress.bleeding": "出血",
    "distress.stroke": "像中风",
    "distress.faint": "昏倒、头晕",
    "distress.choke": "噎住、呛住",
    "distress.poison": "中毒、吃错药",
    "distress.despair": "想轻生",
    "distress.pain": "剧痛、烫伤",
    "distress.lost": "走失",
    "distress.threat": "受困、受威胁",
}
