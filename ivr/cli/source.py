"""`ivr source create|revoke NAME`: who may send signed alarms. The secret is shown once."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")


def add(commands: Any) -> None:
    parser = commands.add_parser("source", help="报警来源（签名） sources of signed alarms")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for action, help_text in (("create", "新建 create"), ("revoke", "停用 revoke")):
        one = actions.add_parser(action, help=help_text)
        one.add_argument("name")
        one.set_defaults(run=run, action=action)


def run(settings: Settings, args: argparse.Namespace) -> int:
    import asyncio
    import sys

    from ivr.errors import UsageError
    from ivr.supervisor.database import prepare_database
    from ivr.supervisor.preflight import make_data_dir

    if not _NAME.fullmatch(args.name):
        raise UsageError(
            "来源名只能用 1 到 40 个字母、数字、点、横线、下划线",
            "a source's name is 1 to 40 letters, digits, dots, dashes or underscores",
        )
    make_data_dir(settings)
    prepare_database(settings)
    if args.action == "revoke":
        asyncio.run(_revoke(settings, args.name))
        return 0
    print(asyncio.run(_create(settings, args.name)))  # alone on standard output, for $(…)
    print("密钥只显示这一次 · the secret is shown only this once", file=sys.stderr)
    return 0


async def _create(settings: Settings, name: str) -> str:
    from ivr.errors import UsageError
    from ivr.services.ports import StoreUnavailable
    from ivr.store.db import Store
    from ivr.store.sources import SourceExists, SqlSources

    try:
        async with Store(settings.effective_database_url) as store:
            return await SqlSources(store).create(name)
    except SourceExists:
        raise UsageError(f"来源 {name} 已存在", f"source {name} exists already") from None
    except StoreUnavailable as error:
        raise UsageError(f"数据库无法写入：{error}", f"the database cannot be written: {error}") from error


async def _revoke(settings: Settings, name: str) -> None:
    from ivr.errors import UsageError
    from ivr.services.ports import StoreUnavailable
    from ivr.store.db import Store
    from ivr.store.sources import SqlSources

    try:
        async with Store(settings.effective_database_url) as store:
            if not await SqlSources(store).revoke(name):
                raise UsageError(f"没有来源 {name}", f"there is no source {name}")
    except StoreUnavailable as error:
        raise UsageError(f"数据库无法写入：{error}", f"the database cannot be written: {error}") from error
