"""Spoken Mandarin: recognisers, grammars and what is made of what was heard."""
