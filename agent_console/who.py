"""Who asks: a person with a session, a machine with a token, or nobody."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from aiohttp import hdrs, web

from agent_console.eyes import FULL, MASKED, Eyes
from agent_console.keys import SETTINGS, USERS
from agent_console.validation import Refused

SAFE = ("GET", "HEAD", "OPTIONS")
CSRF_HEADER = "X-CSRF-Token"
BOSSES = ("supervisor", "admin")


@dataclass(frozen=True, slots=True)
class Principal:
    name: str
    role: str  # a role of app_user, or "token"
    extension: str | None = None
    csrf: str = ""
    session: str = ""

    @property
    def is_person(self) -> bool:
        return self.role not in ("token", "source")

    @property
    def may_act(self) -> bool:
        return self.role != "auditor"

    @property
    def is_boss(self) -> bool:
        return self.role in BOSSES or self.role == "token"

    @property
    def may_export(self) -> bool:
        """Take an incident's record away. A person only: it is journalled by whom."""
        return self.role in (*BOSSES, "auditor")

    @property
    def eyes(self) -> Eyes:
        return MASKED if self.role == "auditor" else FULL

    def key_for(self, given: str | None) -> str | None:
        """An idempotency key is its sender's own: two gateways that both begin with "1" mean two alarms, and nobody
        takes a key of another or of a call beforehand."""
        return None if given is None else f"{'usr' if self.is_person else 'tok'}:{self.name}:{digest(given)}"

    def may_seat(self, extension: str) -> bool:
        return self.is_boss or (self.may_act and self.extension == extension)


def digest(text: str) -> str:
    """As long as a column of ours is, whatever was given."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def cookie_name(request: web.Request) -> str:
    """Cookies know no ports: two instances on one host must not log each other out."""
    return f"yinling_{request.app[SETTINGS].http_port}"


async def person(request: web.Request) -> Principal | None:
    """Whose session cookie this is."""
    token = request.cookies.get(cookie_name(request), "")
    if not token:
        return None
    found = await request.app[USERS].session(token)
    if found is None:
        return None
    user = found.user
    return Principal(user.name, user.role, user.extension, found.csrf, token)


async def api_caller(request: web.Request) -> Principal:
    """Bearer token first, else the session cookie with its CSRF header.

    Raises:
        Refused: 401, or 403 for a cookie without its CSRF token.
    """
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer":
        name = await request.app[USERS].token_name(token.strip())
        if name is None:
            raise Refused(401, "bad_token", "令牌无效或已撤销。", "The token is unknown or revoked.")
        return Principal(name, "token")
    found = await person(request)
    if found is None:
        raise Refused(401, "unauthorized", "需要令牌或登录。", "A bearer token or a session is needed.")
    if request.method not in SAFE:
        check_csrf(found, request.headers.get(CSRF_HEADER, ""))
    return found


def check_csrf(who: Principal, given: str) -> None:
    if not hmac.compare_digest(who.csrf.encode(), given.encode("utf-8", "replace")):
        raise Refused(403, "bad_csrf", "页面已过期，请刷新后再试。", "The page is out of date; reload it.")


def need_act(who: Principal) -> None:
    if not who.may_act:
        raise Refused(403, "forbidden", "审计账号只能查看。", "Auditors may only read.")
