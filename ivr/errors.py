"""Errors that a person can do something about, said in one sentence, Chinese first."""

from __future__ import annotations


class PlainError(Exception):
    """Expected trouble: the command line prints it, no traceback, and exits with status ≠ 0."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.zh = zh
        self.en = en


class SetupError(PlainError):
    """Something this system needs on the machine is missing and could not be fetched."""


class StartError(PlainError):
    """The system could not start; nothing of it is left running."""


class UsageError(PlainError):
    """What was asked cannot be done as asked."""
