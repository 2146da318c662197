"""Who an incident is about, and all elders in turn: what names aloud are made from."""

from __future__ import annotations

from sqlalchemy import insert

from ivr.domain.incident import NewAlarm
from ivr.domain.people import Person
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.named import SqlNamed
from ivr.store.tables import contact, device, elder
from ivr.store.tx import Tx


async def add(store: Store) -> None:
    def change(tx: Tx) -> None:
        for number in range(1, 6):
            tx.conn.execute(insert(elder).values(elder_no=f"N{number}", name=f"老人{number}", consent_outbound=False))
        tx.conn.execute(insert(device).values(device_id="D", kind="one_key", elder_no="N1", caller_id="02188880001"))
        row = {"id": "01J00000000000000000000000", "elder_no": "N2", "name": "女儿", "phone": "13800000002"}
        tx.conn.execute(insert(contact).values(**row, priority=1))

    await store.write(change)


async def test_an_incident_names_its_elder_only_when_it_is_sure(store: Store) -> None:
    await add(store)
    incidents, named = SqlIncidents(store), SqlNamed(store)
    sure = (await incidents.raise_alarm(NewAlarm("api", "press", elder_no="N1"))).incident_id
    unknown = (await incidents.raise_alarm(NewAlarm("api", "press", phone="02100000000"))).incident_id
    assert await named.of_incident(sure) == Person("N1", "老人1", None, has_device=True)
    assert await named.of_incident(unknown) is None
    assert await named.of_incident("01J0000000000000000000000X") is None


async def test_all_elders_come_page_by_page_with_what_makes_them_urgent(store: Store) -> None:
    await add(store)
    named = SqlNamed(store)
    seen: list[Person] = []
    while page := await named.after(seen[-1].elder_no if seen else "", 2):
        assert len(page) <= 2
        seen += page
    ours = [person for person in seen if person.elder_no.startswith("N")]
    assert [person.elder_no for person in ours] == ["N1", "N2", "N3", "N4", "N5"]
    assert [(p.has_device, p.has_family) for p in ours[:3]] == [(True, False), (False, True), (False, False)]
    assert "老人" not in repr(ours), "names stay out of logs"
