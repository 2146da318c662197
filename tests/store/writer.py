"""A process that writes events and prints each number after its commit: `python -m tests.store.writer URL NAME COUNT`.

COUNT 0 is for ever, until somebody kills it.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from functools import partial
from typing import Any

from ivr.store.db import Store
from ivr.store.tx import Tx

AT_ONCE = 10


def _write(tx: Tx, **data: Any) -> None:
    tx.event("node.started", **data)


async def main(url: str, name: str, count: int) -> None:
    numbers = iter(range(count)) if count else itertools.count()

    async def write_one_after_another(store: Store) -> None:
        for number in numbers:
            await store.write(partial(_write, writer=name, number=number))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    async with Store(url, name=name, write_timeout_s=30) as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)  # so that two processes begin at the same moment
        await asyncio.gather(*(write_one_after_another(store) for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
