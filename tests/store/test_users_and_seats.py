"""Log-ins, sessions, tokens and seats: only hashes are stored, and what ran out is out."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from ivr.store.db import Store
from ivr.store.journal import Journal
from ivr.store.seats import SqlSeats
from ivr.store.tables import agent, api_token, app_user, session
from ivr.store.users import SqlUsers, UserExists, sip_digest


@pytest.fixture
def users(store: Store) -> SqlUsers:
    return SqlUsers(store)


async def test_password_is_checked_and_kept_as_argon2(store: Store, users: SqlUsers) -> None:
    assert await users.count() == 0
    await users.add("小李", "agent", "s3cret-密码", extension="1001", sip_secret="sip-secret")
    assert await users.count() == 1
    found = await users.check_password("小李", "s3cret-密码")
    assert found is not None
    assert (found.name, found.role, found.extension) == ("小李", "agent", "1001")
    assert await users.check_password("小李", "s3cret") is None
    assert await users.check_password("小王", "s3cret-密码") is None
    async with store.read() as conn:
        kept = await conn.scalar(select(app_user.c.password_hash))
        digest = await conn.scalar(select(agent.c.sip_digest))
    assert kept is not None
    assert kept.startswith("$argon2id$")
    assert digest == sip_digest("1001", "sip-secret") == hashlib.md5(b"1001:yinling:sip-secret").hexdigest()
    journal = str([one.data for one in await Journal(store).after(0)])
    assert "s3cret" not in journal
    assert "sip-secret" not in journal


async def test_names_and_seats_are_taken_once(users: SqlUsers) -> None:
    await users.add("小李", "agent", "password-1", extension="1001", sip_secret="x")
    with pytest.raises(UserExists):
        await users.add("小李", "admin", "password-2")
    with pytest.raises(UserExists):
        await users.add("小王", "agent", "password-2", extension="1001", sip_secret="x")
    with pytest.raises(ValueError, match="role"):
        await users.add("小王", "root", "password-2")
    assert await users.check_password("小王", "password-2") is None


async def test_disabled_user_is_out_at_once(store: Store, users: SqlUsers) -> None:
    await users.add("小李", "agent", "password-1")
    user = await users.check_password("小李", "password-1")
    assert user is not None
    token, _ = await users.open_session(user, hours=1)
    await store.write(lambda tx: tx.conn.execute(update(app_user).values(disabled_at=tx.now)))
    assert await users.check_password("小李", "password-1") is None
    assert await users.session(token) is None


async def test_session_opens_expires_and_closes(store: Store, users: SqlUsers) -> None:
    await users.add("小李", "supervisor", "password-1")
    user = await users.check_password("小李", "password-1")
    assert user is not None
    token, csrf = await users.open_session(user, hours=1)
    second, _ = await users.open_session(user, hours=1)
    found = await users.session(token)
    assert found is not None
    assert (found.user, found.csrf) == (user, csrf)
    async with store.read() as conn:
        assert token not in str((await conn.execute(select(session))).all())

    past = datetime.now(UTC) - timedelta(seconds=1)
    async with store.read() as conn:
        hashes = list(await conn.scalars(select(session.c.token_hash)))
    mine = hashlib.sha256(token.encode()).hexdigest()
    assert mine in hashes
    await store.write(
        lambda tx: tx.conn.execute(update(session).where(session.c.token_hash == mine).values(expires_at=past))
    )
    assert await users.session(token) is None
    assert await users.session(second) is not None
    third, _ = await users.open_session(user, hours=1)  # sweeps what ran out
    async with store.read() as conn:
        assert mine not in list(await conn.scalars(select(session.c.token_hash)))
    await users.close_session(third)
    assert await users.session(third) is None
    assert await users.session("") is None


async def test_token_works_until_revoked(store: Store, users: SqlUsers) -> None:
    token = await users.add_token("tablet")
    assert await users.token_name(token) == "tablet"
    assert await users.token_name(token + "x") is None
    async with store.read() as conn:
        assert token not in str((await conn.execute(select(api_token))).all())
    with pytest.raises(UserExists):
        await users.add_token("tablet")
    await users.revoke_token("tablet")
    assert await users.token_name(token) is None


async def test_seat_states(store: Store, users: SqlUsers) -> None:
    await users.add("小李", "agent", "password-1", extension="1001", sip_secret="x")
    seats = SqlSeats(store)
    assert [(seat.extension, seat.state) for seat in await seats.all()] == [("1001", "away")]
    for _ in range(2):
        assert await seats.set_state("1001", "ready", reason=None, by="1001")
    assert await seats.set_state("1001", "paused", reason="午饭", by="1001")
    assert await seats.set_state("1001", "paused", reason="培训", by="小张")
    assert not await seats.set_state("1009", "ready", reason=None, by="1009")
    with pytest.raises(ValueError, match="state"):
        await seats.set_state("1001", "asleep", reason=None, by="1001")
    changes = [one for one in await Journal(store).after(0) if one.kind == "agent.state_changed"]
    assert [(one.extension, one.data["state"], one.data["reason"]) for one in changes] == [
        ("1001", "ready", None),
        ("1001", "paused", "午饭"),
        ("1001", "paused", "培训"),
    ]
