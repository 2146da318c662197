"""Who may do what: tokens, sessions, roles, other people's web sites."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.api_stage import stage

PRESS = {"source": "pendant", "kind": "press", "device_id": "P-100"}


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Bearer ", "Basic eDp5", "Bearer \u00ff"])
async def test_without_a_token_nothing_is_told(tmp_path: Path, header: str | None) -> None:
    async with stage(tmp_path) as api:
        headers = {"Authorization": header} if header else {}
        for method, path in (("GET", "/incidents"), ("POST", "/alarms"), ("GET", "/events"), ("GET", "/queue")):
            status, answer = await api.ask(method, path, headers=headers)
            assert status == 401
            assert set(answer["error"]) == {"code", "message", "field"}


async def test_unknown_path_and_method_have_the_same_shape(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        status, answer = await api.ask("GET", "/nothing")
        assert (status, answer["error"]["code"]) == (404, "not_found")
        status, answer = await api.ask("GET", "/alarms")
        assert (status, answer["error"]["code"]) == (405, "method_not_allowed")


async def test_session_needs_its_csrf_token_to_act(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        csrf = await api.log_in("李娜")
        assert (await api.ask("GET", "/incidents", headers={}))[0] == 200
        status, answer = await api.ask("POST", "/alarms", PRESS, headers={})
        assert (status, answer["error"]["code"]) == (403, "bad_csrf")
        assert (await api.ask("POST", "/alarms", PRESS, headers={"X-CSRF-Token": csrf}))[0] == 201


async def test_agent_sets_his_own_seat_only_and_supervisor_any(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        headers = {"X-CSRF-Token": await api.log_in("李娜")}
        ready = {"state": "ready"}
        assert (await api.ask("POST", "/agents/1001/state", ready, headers=headers))[0] == 200
        assert (await api.ask("POST", "/agents/1002/state", ready, headers=headers))[0] == 403
        api.client.session.cookie_jar.clear()
        headers = {"X-CSRF-Token": await api.log_in("周强")}
        status, seat = await api.ask("POST", "/agents/1002/state", ready, headers=headers)
        assert (status, seat["state"]) == (200, "ready")


async def test_auditor_reads_masked_numbers_and_changes_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(device_id="P-100", phone="13800000001")
        headers = {"X-CSRF-Token": await api.log_in("吴审")}
        found = await api.get(f"/incidents/{incident}", headers={})
        assert found["elder"]["mobile"] == "138****0001"
        assert {leg["phone"] for leg in found["legs"]} == {"139****0011", "139****0012", "139****0013"}
        assert found["alarms"][0]["phone"] == "138****0001"
        page = await (await api.client.get(f"/incidents/{incident}")).text()
        assert "13800000001" not in page
        assert "1390000001" not in page
        for path, body in (
            ("/alarms", PRESS),
            (f"/incidents/{incident}/close", {"reason": "x"}),
            ("/agents/1001/state", {"state": "ready"}),
            ("/tickets", {"note": "x"}),
        ):
            status, answer = await api.ask("POST", path, body, headers=headers)
            assert (status, answer["error"]["code"]) == (403, "forbidden")


async def test_other_web_sites_are_refused(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        csrf = await api.log_in("李娜")
        for foreign in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            headers = {"X-CSRF-Token": csrf, **foreign}
            status, answer = await api.ask("POST", "/alarms", PRESS, headers=headers)
            assert (status, answer["error"]["code"]) == (403, "bad_origin")


async def test_every_answer_carries_the_security_headers(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        for path in ("/login", "/api/v1/health", "/nothing", "/static/desk.css", "/api/v1/incidents"):
            async with api.client.get(path) as response:
                assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
                assert "unsafe" not in response.headers["Content-Security-Policy"]
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert "Referrer-Policy" in response.headers


async def test_log_in_cookie_is_for_this_site_and_no_script(tmp_path: Path) -> None:
    async with stage(tmp_path, http_port=18123) as api:
        page = await (await api.client.get("/login")).text()
        form = {"name": "李娜", "password": "correct horse", "csrf": page.split('csrf" value="')[1].split('"')[0]}
        headers = {"X-Forwarded-Proto": "https"}
        async with api.client.post("/login", data=form, headers=headers, allow_redirects=False) as response:
            cookie = next(line for line in response.headers.getall("Set-Cookie") if line.startswith("yinling_18123="))
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert "Secure" in cookie


async def test_guessing_a_password_becomes_slow(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        page = await (await api.client.get("/login")).text()
        form = {"name": "李娜", "password": "wrong", "csrf": page.split('csrf" value="')[1].split('"')[0]}
        statuses = [(await api.client.post("/login", data=form)).status for _ in range(6)]
        assert statuses == [401] * 5 + [429]
        form["password"] = "correct horse"
        assert (await api.client.post("/login", data=form)).status == 429
        form["name"] = "周强"
        assert (await api.client.post("/login", data=form, allow_redirects=False)).status == 303


async def test_log_out_ends_the_session(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        csrf = await api.log_in("李娜")
        jar = api.client.session.cookie_jar
        kept = {cookie.key: cookie.value for cookie in jar}
        await api.client.post("/logout", data={"csrf": csrf})
        jar.update_cookies(kept, api.client.make_url("/"))
        assert (await api.ask("GET", "/incidents", headers={}))[0] == 401
        async with api.client.get("/", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/login")


async def test_revoked_token_is_worth_nothing(tmp_path: Path) -> None:
    from ivr.store.users import SqlUsers

    async with stage(tmp_path) as api:
        await SqlUsers(api.store).revoke_token("platform")
        assert (await api.ask("GET", "/incidents"))[0] == 401
