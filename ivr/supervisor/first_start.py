"""What only the first start does: passwords, made here and shown once, and the first people."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ivr.errors import StartError
from ivr.late import late
from ivr.services.ports import StoreUnavailable
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.users import SqlUsers

# No 0/O, 1/l/I: these are read off a screen and typed into a phone.
ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True)
class Account:
    """One new log-in with the secrets that only its owner keeps."""

    name: str
    role: str
    password: str
    extension: str | None = None
    sip_secret: str | None = None


def new_secret(length: int = 20) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


async def make_accounts(settings: Settings) -> list[Account]:
    """The administrator and two seats when nobody can log in yet; else nothing."""
    wanted = [Account("admin", "admin", new_secret(12))]
    wanted += [Account(ext, "agent", new_secret(12), ext, new_secret()) for ext in ("1001", "1002")]
    try:
        async with Store(settings.effective_database_url, name="first-start") as store:
            users = SqlUsers(store)
            if await users.count():
                return []
            for account in wanted:
                await users.add(
                    account.name,
                    account.role,
                    account.password,
                    extension=account.extension,
                    sip_secret=account.sip_secret,
                )
    except StoreUnavailable as error:
        raise StartError(f"数据库无法写入：{error}", f"the database cannot be written: {error}") from error
    return wanted


async def load_demo_data(settings: Settings) -> None:
    """The demo family, once; seam to the room of the stand-in telephone network."""
    await late("ivr.demo.data", "load")(settings)
