"""What every test of calls begins with: SIPp, a block of ports, and a place for traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ivr.asterisk.portable import sipp_command
from ivr.settings import Settings
from tests.calls.harness import PortBlock, SippCommand
from tests.calls.place import Place
from tests.calls.system import Person


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: one that begins last keeps a whole run waiting for it alone (1.5 of 9 minutes)."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def sipp() -> SippCommand:
    return sipp_command(Settings())


@pytest.fixture
def ports() -> Iterator[PortBlock]:
    with PortBlock(500) as block:
        yield block


@pytest.fixture
def place(tmp_path: Path, ports: PortBlock, sipp: SippCommand) -> Callable[..., Place]:
    """`async with place([person, …], IVR_SETTING="…") as (system, town):`; `speech=True` with a speech worker."""

    def make(people: Sequence[Person] = (), *, speech: bool = False, **options: str) -> Place:
        return Place(tmp_path / "y", ports, sipp, people, options, speech=speech)

    return make
