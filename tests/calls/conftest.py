"""What every test of calls begins with: SIPp, a block of ports, and a place for traces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ivr.asterisk.portable import sipp_command
from ivr.settings import Settings
from tests.calls.harness import PortBlock, SippCommand


@pytest.fixture(scope="session")
def sipp() -> SippCommand:
    return sipp_command(Settings())


@pytest.fixture
def ports() -> Iterator[PortBlock]:
    with PortBlock(500) as block:
        yield block
