"""The main page as an agent sees it: everything comes by itself, nothing acts by itself."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from ivr.domain.incident import ArrivedCall, Outcome, Role
from ivr.store.calls import SqlCalls
from ivr.store.legs import SqlLegs
from ivr.store.tickets import SqlTickets
from ivr.store.tx import Tx
from tests.adapters.api_stage import add_elder
from tests.console.conftest import Desk

SOON_MS = 1000

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all


@pytest.fixture(autouse=True)
def no_complaints(desk: Desk):  # type: ignore[no-untyped-def]
    """No script fails and nothing hits the content security policy, in any test."""
    yield
    assert desk.complaints == []


async def test_wrong_password_is_said_and_right_one_opens_the_desk(desk: Desk) -> None:
    page = await desk.window("李娜")
    await expect(page.locator(".me")).to_contain_text("李娜")
    await page.get_by_role("button", name="退出").click()
    await page.get_by_label("用户名").fill("李娜")
    await page.get_by_label("密码").fill("wrong")
    await page.get_by_role("button", name="登录").click()
    await expect(page.get_by_role("alert")).to_contain_text("用户名或密码不对")


async def test_incident_appears_at_once_and_its_file_opens_by_itself(desk: Desk) -> None:
    page = await desk.window()
    await expect(page.locator("#incidents")).to_contain_text("目前没有紧急事件")
    await page.evaluate("window.stayed = true")
    await desk.console.alarm(device_id="P-100", kind="fall")
    await expect(page.locator(".card.unattended")).to_contain_text("王秀英", timeout=SOON_MS)
    await expect(page.locator(".strip")).to_contain_text("紧急 1 起无人接手")
    await expect(page.locator("#panel")).to_contain_text("青霉素过敏", timeout=SOON_MS)
    await expect(page.locator("#announce")).to_contain_text("王秀英")
    await expect(page).to_have_title(re.compile(r"^\(1\) 紧急"))
    assert await page.evaluate("document.body.dataset.rang") == "1"
    assert await page.evaluate("window.stayed"), "the page was loaded anew"


async def test_second_emergency_does_not_take_the_file_that_is_being_read(desk: Desk) -> None:
    page = await desk.window()
    first = await desk.console.alarm(device_id="P-100")
    await expect(page.locator("#incident-title")).to_contain_text("王秀英")
    await desk.console.alarm(phone="18800001111")
    await expect(page.locator(".strip")).to_contain_text("紧急 2 起", timeout=SOON_MS)
    await expect(page.locator("#incident-title")).to_contain_text("王秀英")
    assert await page.locator("#panel").get_attribute("data-incident") == first
    await page.locator(".card", has_text="18800001111").click()
    await expect(page.locator("#incident-title")).to_contain_text("18800001111")


async def test_legs_change_while_one_looks_in_both_windows(desk: Desk) -> None:
    incident = await desk.console.alarm(device_id="P-100")
    one = await desk.window(path=f"/incidents/{incident}")
    two = await desk.window("周强", path=f"/incidents/{incident}")
    legs = SqlLegs(desk.console.store, "node1", "engine")
    daughter = await legs.begin_attempt(incident, Role.FAMILY, "13900000012")
    assert daughter
    await _both(one, two, "王丽华", "正在拨打")
    await legs.ringing(daughter)
    await _both(one, two, "王丽华", "正在振铃")
    await legs.answered(daughter)
    await _both(one, two, "王丽华", "已接听，待确认")
    await legs.accept(daughter, only_first=False)
    await _both(one, two, "王丽华", "通话中")
    await legs.ended(daughter, Outcome.TALKED)
    await _both(one, two, "王丽华", "已通话")
    son = await legs.begin_attempt(incident, Role.FAMILY, "13900000011")
    assert son
    await legs.ended(son, Outcome.BUSY)
    await _both(one, two, "王建国", "占线")


async def _both(one: Page, two: Page, name: str, text: str) -> None:
    for page in (one, two):
        await expect(page.locator(".leg", has_text=name)).to_contain_text(text, timeout=SOON_MS)


async def test_incident_is_attended_when_an_agent_is_in_the_room(desk: Desk) -> None:
    page = await desk.window()
    incident = await desk.console.alarm(device_id="P-100")
    await expect(page.locator(".strip")).to_be_visible()
    legs = SqlLegs(desk.console.store, "node1", "engine")
    agent = await legs.begin_attempt(incident, Role.AGENT, "1001", name="李娜")
    assert agent
    await legs.accept(agent, only_first=True)
    await expect(page.locator(".card.present")).to_contain_text("坐席在线", timeout=SOON_MS)
    await expect(page.locator(".strip")).to_have_count(0)
    await legs.ended(agent, Outcome.TALKED)
    await expect(page.locator(".card.handled")).to_contain_text("待关闭", timeout=SOON_MS)


async def test_closing_needs_a_reason_and_half_written_ones_survive_live_updates(desk: Desk) -> None:
    incident = await desk.console.alarm(device_id="P-100")
    page = await desk.window(path=f"/incidents/{incident}")
    await page.get_by_role("button", name="关闭事件").click()
    await expect(page.locator("form .problem")).to_contain_text("请写明关闭的原因")
    await page.get_by_label("原因").fill("女儿已到家照看")
    await desk.console.alarm(elder_no="E001", kind="smoke")
    await expect(page.locator(".alarms")).to_contain_text("烟雾报警", timeout=SOON_MS)
    await expect(page.get_by_label("原因")).to_have_value("女儿已到家照看")
    await page.get_by_label("结果").select_option("family")
    await page.get_by_role("button", name="关闭事件").click()
    await expect(page.locator(".incident.closed")).to_contain_text("李娜 · 家属已接手", timeout=SOON_MS)
    await expect(page.locator("#incidents")).to_contain_text("目前没有紧急事件")
    found = await desk.console.get(f"/incidents/{incident}")
    assert (found["closed_by"], found["outcome"], found["reason"]) == ("李娜", "family", "女儿已到家照看")


async def test_waiting_callers_come_and_go_and_their_clock_runs(desk: Desk) -> None:
    page = await desk.window()
    call_id, _ = await SqlTickets(desk.console.store).open_for_call(
        ArrivedCall("node1", "u1", "u1", "12349", "02155550001")
    )
    calls = SqlCalls(desk.console.store, "node1")
    calls.answered(call_id)
    await calls.queued("u1", 1)
    await expect(page.locator(".waiting li")).to_contain_text("王秀英", timeout=SOON_MS)
    await expect(page.locator(".waiting .wait")).to_have_text(re.compile(r"^0:0[2-9]$"), timeout=5000)
    await calls.connected("u1", "1001", 2.0)
    await expect(page.locator("#queue")).to_contain_text("没有人在等待", timeout=SOON_MS)


async def test_agent_sets_his_own_seat(desk: Desk) -> None:
    page = await desk.window()
    other = await desk.window("周强")
    await expect(page.locator(".banner.warn")).to_contain_text("没有就绪的座席")
    await page.get_by_role("button", name="就绪").click()
    await expect(page.get_by_role("button", name="就绪")).to_have_attribute("aria-pressed", "true")
    await expect(other.locator(".seat.ready")).to_contain_text("李娜", timeout=SOON_MS)
    await expect(page.locator(".banner.warn")).to_have_count(0)
    await expect(page.locator(".switch")).to_have_count(0)
    await other.locator("#seat-1001-away").click()
    await expect(page.locator("#own-away")).to_have_attribute("aria-pressed", "true", timeout=SOON_MS)


async def test_auditor_has_nothing_to_press(desk: Desk) -> None:
    incident = await desk.console.alarm(device_id="P-100", phone="13800000001")
    page = await desk.window("吴审", path=f"/incidents/{incident}")
    await expect(page.locator("#panel")).to_contain_text("138****0001")
    await expect(page.get_by_role("button")).to_have_count(2)  # sound, log-out


async def test_what_people_wrote_is_text_and_never_markup(desk: Desk) -> None:
    evil = "<script>document.title='owned'</script>"

    def add(tx: Tx) -> None:
        add_elder(tx.conn, "E666", evil, phone="02155550666")

    await desk.console.store.write(add)
    page = await desk.window()
    await desk.console.alarm(elder_no="E666", kind='"><img src=x onerror=alert(1)>', note=f"</article>{evil}")
    await expect(page.locator("#incident-title")).to_contain_text(evil, timeout=SOON_MS)
    await expect(page.locator(".card .name")).to_contain_text(evil)
    await expect(page.locator(".alarms")).to_contain_text(evil)
    assert await page.locator("#desk img[src=x]").count() == 0
    assert "owned" not in await page.title()


async def test_two_elders_on_one_number_are_both_shown(desk: Desk) -> None:
    page = await desk.window()
    await desk.console.alarm(phone="02155550002")
    await expect(page.locator(".choices li")).to_have_count(2, timeout=SOON_MS)
    await expect(page.locator(".choices")).to_contain_text("请先问清是哪一位")


async def test_lifeline_incident_asks_to_be_looked_at(desk: Desk) -> None:
    from ivr.domain.incident import NewAlarm
    from ivr.store.incidents import SqlIncidents

    page = await desk.window()
    await SqlIncidents(desk.console.store).raise_alarm(
        NewAlarm(source="lifeline", kind="emergency_call", phone="02155550001", needs_look=True)
    )
    await expect(page.locator(".card")).to_contain_text("须有人查看", timeout=SOON_MS)
    await page.get_by_role("button", name="已查看").click()
    await expect(page.locator(".card.handled")).to_be_visible(timeout=SOON_MS)
    await expect(page.locator(".strip")).to_have_count(0)


async def test_pressed_by_mistake_needs_a_word_and_stops_the_family(desk: Desk) -> None:
    incident = await desk.console.alarm(device_id="P-100")
    page = await desk.window(path=f"/incidents/{incident}")
    await page.get_by_text("误按，停止联系亲属").click()
    await page.get_by_role("button", name="停止 Stop").click()
    await expect(page.get_by_text("请写明为什么是误按。")).to_be_visible()
    await page.get_by_label("说明（必填）").fill("老人说按错了")
    await page.get_by_role("button", name="停止 Stop").click()
    await expect(page.get_by_role("status").filter(has_text="已停止联系亲属")).to_be_visible()
    await expect(page.locator("#live")).to_contain_text("老人说按错了", timeout=SOON_MS)
    found = await desk.console.get(f"/incidents/{incident}")
    assert found["family"] == "cancelled"
    (told,) = [event for event in found["events"] if event["kind"] == "incident.family_cancelled"]
    assert (told["by"], told["word"]) == ("李娜", "elder")
    assert "按错" not in str(found["events"]), "a person's words are not in the journal"
    await page.get_by_role("button", name="联系亲属 Call family").click()
    await expect(page.get_by_role("status").filter(has_text="正在联系亲属")).to_be_visible()
