"""Spoken Mandarin: grammars, recognisers behind one port, and what was meant."""
