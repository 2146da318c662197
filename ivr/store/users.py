"""People who may log in, API tokens, sessions. Only hashes are stored."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, insert, select, update
from ulid import ULID

from ivr import clock
from ivr.store.db import Store
from ivr.store.tables import agent, api_token, app_user, session
from ivr.store.tx import Tx

ROLES = ("agent", "supervisor", "admin", "auditor")
SIP_REALM = "yinling"

_hasher = PasswordHasher()
# Compared against when the name is unknown, so that the answer takes as long as for a wrong password.
_NOBODY = _hasher.hash(secrets.token_hex(16))


class UserExists(Exception):
    """The name or the extension is taken."""


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str
    role: str
    extension: str | None


@dataclass(frozen=True, slots=True)
class Session:
    user: User
    csrf: str


def sip_digest(extension: str, secret: str) -> str:
    """What Asterisk and JsSIP call HA1: MD5(user:realm:secret), RFC 3261 §22 digest."""
    return hashlib.md5(f"{extension}:{SIP_REALM}:{secret}".encode(), usedforsecurity=False).hexdigest()


def token_hash(token: str) -> str:
    """Tokens are 256 random bits: a plain hash is enough, and looking one up stays cheap."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_secret(secret: str) -> str:
    """argon2id, about 50 ms: passwords, and the PINs of care workers."""
    return _hasher.hash(secret)


class SqlUsers:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self, name: str, role: str, password: str, *, extension: str | None = None, sip_secret: str | None = None
    ) -> None:
        """Raises UserExists; ValueError for an unknown role."""
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}")
        hashed = _hasher.hash(password)

        def change(tx: Tx) -> bool:
            taken = tx.conn.scalar(select(app_user.c.id).where(app_user.c.name == name))
            if extension:
                taken = taken or tx.conn.scalar(select(agent.c.extension).where(agent.c.extension == extension))
            if taken:
                return False
            tx.conn.execute(
                insert(app_user).values(
                    id=str(ULID()),
                    name=name,
                    password_hash=hashed,
                    role=role,
                    extension=extension,
                    created_at=tx.now,
                )
            )
            if extension:
                tx.conn.execute(
                    insert(agent).values(
                        extension=extension,
                        name=name,
                        sip_digest=sip_digest(extension, sip_secret or ""),
                        state="away",
                        since=tx.now,
                    )
                )
            tx.event("user.added", role=role, extension=extension)
            return True

        if not await self._store.write(change):
            raise UserExists(name)

    async def count(self) -> int:
        async with self._store.read() as conn:
            return len((await conn.execute(select(app_user.c.id).limit(1))).all())

    async def check_password(self, name: str, password: str) -> User | None:
        """The user, or None; takes equally long for an unknown name. The hash (~50 ms) runs in a thread."""
        async with self._store.read() as conn:
            row = (
                await conn.execute(select(app_user).where(app_user.c.name == name, app_user.c.disabled_at.is_(None)))
            ).first()
        try:
            await asyncio.to_thread(_hasher.verify, row.password_hash if row else _NOBODY, password)
        except (VerificationError, InvalidHashError):
            return None
        return User(row.id, row.name, row.role, row.extension) if row else None

    async def open_session(self, user: User, hours: int) -> tuple[str, str]:
        """(cookie token, csrf token)."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)

        def change(tx: Tx) -> None:
            tx.conn.execute(delete(session).where(session.c.expires_at < tx.now))
            tx.conn.execute(
                insert(session).values(
                    token_hash=token_hash(token),
                    user_id=user.id,
                    csrf=csrf,
                    created_at=tx.now,
                    expires_at=tx.now + timedelta(hours=hours),
                )
            )
            tx.event("user.logged_in", extension=user.extension, by=user.name)

        await self._store.write(change)
        return token, csrf

    async def session(self, token: str) -> Session | None:
        async with self._store.read() as conn:
            row = (
                await conn.execute(
                    select(app_user, session.c.csrf)
                    .join(session, session.c.user_id == app_user.c.id)
                    .where(
                        session.c.token_hash == token_hash(token),
                        session.c.expires_at > clock.now(),
                        app_user.c.disabled_at.is_(None),
                    )
                )
            ).first()
        return Session(User(row.id, row.name, row.role, row.extension), row.csrf) if row else None

    async def close_session(self, token: str) -> None:
        def change(tx: Tx) -> None:
            tx.conn.execute(delete(session).where(session.c.token_hash == token_hash(token)))

        await self._store.write(change)

    async def add_token(self, name: str) -> str:
        """Make an API token; it is shown once and only its hash is kept. Raises UserExists."""
        token = "ylt_" + secrets.token_urlsafe(32)

        def change(tx: Tx) -> bool:
            if tx.conn.scalar(select(api_token.c.id).where(api_token.c.name == name)):
                return False
            tx.conn.execute(
                insert(api_token).values(id=str(ULID()), name=name, token_hash=token_hash(token), created_at=tx.now)
            )
            tx.event("token.created", name=name)
            return True

        if not await self._store.write(change):
            raise UserExists(name)
        return token

    async def revoke_token(self, name: str) -> None:
        def change(tx: Tx) -> None:
            tx.conn.execute(update(api_token).where(api_token.c.name == name).values(revoked_at=tx.now))

        await self._store.write(change)

    async def token_name(self, token: str) -> str | None:
        """Whose token this is, or None."""
        async with self._store.read() as conn:
            name: str | None = await conn.scalar(
                select(api_token.c.name).where(
                    api_token.c.token_hash == token_hash(token), api_token.c.revoked_at.is_(None)
                )
            )
        return name
