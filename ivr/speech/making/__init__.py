"""Makes the small speech model the project carries, from synthetic speech of clean licence only.

Never part of a running system: `python -m ivr.speech.making` in an environment of its own
(`requirements.txt` beside this file).
"""
