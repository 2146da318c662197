"""Journeys of a centre, gone many times: a press while every seat is busy, a family called, the engine killed."""
