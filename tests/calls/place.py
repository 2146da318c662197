"""A system and its town for one test, and the promise that nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.calls.harness import PortBlock, SippCommand, Town
from tests.calls.system import Person, System


@dataclass
class Place:
    """`async with place(people) as (system, town):`"""

    folder: Path
    ports: PortBlock
    sipp: SippCommand
    people: Sequence[Person] = ()
    options: dict[str, str] = field(default_factory=dict)
    engine_options: dict[str, str] = field(default_factory=dict)
    speech: bool = False
    clock_env: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> tuple[System, Town]:
        self.system = System(
            self.folder,
            self.ports,
            self.people,
            with_speech=self.speech,
            options=self.options,
            engine_options=self.engine_options,
            clock_env=self.clock_env,
        )
        await self.system.__aenter__()
        s = self.system.settings
        self.town = await Town(s.sip_port, s.trunk_port, self.sipp, ports=self.ports).__aenter__()
        return self.system, self.town

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and {"asterisk", "console"} <= self.system.processes.keys():
            await self.system.close_all()  # an open incident would rightly go on dialling
        await self.town.__aexit__(kind, error, trace)
        try:
            if kind is None and "asterisk" in self.system.processes:
                left = await self.system.left_behind()
                if left:
                    raise AssertionError(f"left behind: {left}")
        finally:
            await self.system.__aexit__(kind, error, trace)


MakePlace = Callable[..., Place]
