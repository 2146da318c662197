"""How sure an engine must be to be believed, how long its partial results must stand, and how long an answer may be."""

from __future__ import annotations

LEAST_CONFIDENCE = 0.6
"""Mean over the words of a phrase. Below it, what a small model heard was as often wrong as right."""
LEAST_DISTRESS_CONFIDENCE = 0.5
"""Lower for distress: a false alarm costs a person a question, a missed one may cost a life."""
PARTIAL_CONFIDENCE = 0.9
"""For acting before the end of speech: partial results at 0.55 and 0.73 were taken back by the final one, which was
unknown speech (2 of 20 ordinary sentences, small model)."""
LONGEST_ANSWER_S = 4.0
"""From first word to last. 对对对，好的好的 takes two; a voicemail takes six and more."""
LONGEST_ANSWER = 10
"""Characters of a written answer, where no times are told: at two to three a second (elders speak slowly) the same
four seconds. The longest answers of the grammars have five, so that 好的好的我马上过去 is one; the demonstration's
voicemail has twenty."""
STANDS_S = 0.3
"""A partial distress word is acted on when so much was heard after it and it is still there: partial results change."""
MAY_GO_ON_S = 0.6
"""The same for a word that may still become a harmless one: 急救 may go on to 急救箱."""
