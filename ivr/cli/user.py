"""`ivr user add NAME`: a log-in for the console, with a seat when an extension is given."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings

ROLES = ("agent", "supervisor", "admin", "auditor")


def add(commands: Any) -> None:
    actions = commands.add_parser("user", help="账号 log-ins").add_subparsers(required=True, metavar="ACTION")
    parser = actions.add_parser("add", help="新增 add")
    parser.add_argument("name")
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--password", help="不填则随机生成并显示一次 made and shown once when left out")
    parser.add_argument("--extension", help="分机号 e.g. 1003")
    parser.add_argument("--sip-secret", help="不填则随机生成并显示一次 made and shown once when left out")
    parser.set_defaults(run=run)


def run(settings: Settings, args: argparse.Namespace) -> int:
    import asyncio
    import re

    from ivr.errors import UsageError
    from ivr.supervisor.database import prepare_database
    from ivr.supervisor.first_start import Account, new_secret
    from ivr.supervisor.preflight import is_running, make_data_dir

    if args.extension and not re.fullmatch(r"1\d{3}", args.extension):
        raise UsageError(
            f"分机号 {args.extension!r} 应为 1 开头的 4 位数字（如 1003）",
            f"extension {args.extension!r}: 4 digits beginning with 1, such as 1003",
        )
    if args.sip_secret and not args.extension:
        raise UsageError("--sip-secret 需要同时给出 --extension", "--sip-secret needs --extension")
    if args.password is not None and len(args.password) < 8:
        raise UsageError("密码至少 8 位", "a password has at least 8 characters")
    secret = (args.sip_secret or new_secret()) if args.extension else None
    account = Account(args.name, args.role, args.password or new_secret(12), args.extension, secret)
    make_data_dir(settings)
    prepare_database(settings)
    asyncio.run(_add(settings, account))
    if account.extension and is_running(settings.data_dir.resolve()):
        from ivr.supervisor.render import refresh_seats

        asyncio.run(refresh_seats(settings))
    shown = f"已新增 added: {account.name} ({account.role})"
    if args.password is None:
        shown += f"  密码 password: {account.password}"
    if account.extension:
        shown += f"  分机 extension: {account.extension}"
        shown += "" if args.sip_secret else f"  SIP 密码 SIP secret: {account.sip_secret}"
    print(shown)
    return 0


async def _add(settings: Settings, account: Any) -> None:
    from ivr.errors import UsageError
    from ivr.services.ports import StoreUnavailable
    from ivr.store.db import Store
    from ivr.store.users import SqlUsers, UserExists

    try:
        async with Store(settings.effective_database_url) as store:
            await SqlUsers(store).add(
                account.name,
                account.role,
                account.password,
                extension=account.extension,
                sip_secret=account.sip_secret,
            )
    except UserExists:
        raise UsageError(
            f"账号 {account.name} 或分机 {account.extension} 已存在",
            f"user {account.name} or extension {account.extension} exists already",
        ) from None
    except StoreUnavailable as error:
        raise UsageError(f"数据库无法写入：{error}", f"the database cannot be written: {error}") from error
