"""Spoken Mandarin: models, recognisers, grammars, and the workers Asterisk reaches over AEAP."""
