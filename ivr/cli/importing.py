"""`ivr import KIND FILE`: elders, contacts, devices, workers, hospitals from CSV or XLSX."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.importing import Report
    from ivr.settings import Settings

KINDS = ("elders", "contacts", "devices", "workers", "hospitals")


def add(commands: Any) -> None:
    parser = commands.add_parser("import", help="导入名单 import a list (CSV, XLSX)")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--partial", action="store_true", help="有错时仍导入正确的行 import the good rows all the same")
    parser.set_defaults(run=run)


def run(settings: Settings, args: argparse.Namespace) -> int:
    import asyncio

    from ivr.errors import UsageError
    from ivr.supervisor.database import prepare_database
    from ivr.supervisor.preflight import make_data_dir

    if not args.file.is_file():
        raise UsageError(f"找不到文件 {args.file}", f"no such file: {args.file}")
    make_data_dir(settings)
    prepare_database(settings)
    report = asyncio.run(_import(settings, args))
    print(report, file=sys.stdout if report.ok else sys.stderr)
    return 0 if report.ok else 1


async def _import(settings: Settings, args: argparse.Namespace) -> Report:
    from ivr.errors import UsageError
    from ivr.importing import import_file
    from ivr.services.ports import StoreUnavailable
    from ivr.store.db import Store

    try:
        async with Store(settings.effective_database_url) as store:
            return await import_file(store, args.kind, args.file, partial=args.partial)
    except StoreUnavailable as error:
        raise UsageError(f"数据库无法写入：{error}", f"the database cannot be written: {error}") from error
