"""`ivr token create NAME`: a bearer token for the HTTP API, shown once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    actions = commands.add_parser("token", help="接口令牌 API tokens").add_subparsers(required=True, metavar="ACTION")
    parser = actions.add_parser("create", help="新建 create")
    parser.add_argument("name")
    parser.set_defaults(run=run)


def run(settings: Settings, args: argparse.Namespace) -> int:
    import asyncio
    import sys

    from ivr.supervisor.database import prepare_database
    from ivr.supervisor.preflight import make_data_dir

    make_data_dir(settings)
    prepare_database(settings)
    print(asyncio.run(_create(settings, args.name)))  # alone on standard output, for $(…)
    print("令牌只显示这一次 · the token is shown only this once", file=sys.stderr)
    return 0


async def _create(settings: Settings, name: str) -> str:
    from ivr.errors import UsageError
    from ivr.services.ports import StoreUnavailable
    from ivr.store.db import Store
    from ivr.store.users import SqlUsers, UserExists

    try:
        async with Store(settings.effective_database_url) as store:
            return await SqlUsers(store).add_token(name)
    except UserExists:
        raise UsageError(f"令牌 {name} 已存在", f"token {name} exists already") from None
    except StoreUnavailable as error:
        raise UsageError(f"数据库无法写入：{error}", f"the database cannot be written: {error}") from error
