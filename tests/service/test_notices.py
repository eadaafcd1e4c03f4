"""Everybody who listens hears what happens, and nobody who does not listen holds it up."""

import asyncio

from lmnb.service.notices import Notices, Subscription


def heard(subscription):
    """All that is waiting, as (kind, data); the subscription ends."""

    async def read():
        subscription.close()
        return [(notice.kind, notice.data) async for notice in subscription]

    return asyncio.run(read())


def test_every_listener_hears_everything_from_its_beginning_on():
    notices = Notices()
    first = notices.subscribe()
    notices.publish("model_load.start", {"instance_id": "a"})
    second = notices.subscribe()
    notices.publish("model_load.end", {"instance_id": "a"})
    end = ("model_load.end", {"instance_id": "a"})
    assert heard(first) == [("model_load.start", {"instance_id": "a"}), end]
    assert heard(second) == [end]


def test_a_waiting_listener_is_woken():
    async def main():
        notices = Notices()
        with notices.subscribe() as subscription:
            waiting = asyncio.ensure_future(anext(subscription))
            await asyncio.sleep(0)
            notices.publish("models.changed", {})
            return (await waiting).kind

    assert asyncio.run(main()) == "models.changed"


def test_a_slow_listener_loses_the_oldest_progress_and_nothing_else():
    notices = Notices()
    slow = notices.subscribe()
    notices.publish("download.start", {"job_id": "j"})
    for step in range(Subscription.USUAL):
        notices.publish("download.progress", {"job_id": "j", "step": step})
    notices.publish("download.end", {"job_id": "j"})
    all_heard = heard(slow)
    assert all_heard[0][0] == "download.start"
    assert all_heard[-1][0] == "download.end"
    assert len(all_heard) == Subscription.USUAL
    assert all_heard[-2][1]["step"] == Subscription.USUAL - 1
    assert all_heard[1][1]["step"] == 2


def test_a_listener_that_never_reads_is_dropped_in_the_end():
    notices = Notices()
    dead = notices.subscribe()
    for _ in range(Subscription.MOST + 10):
        notices.publish("models.changed", {})
    assert len(heard(dead)) == Subscription.MOST


def test_closing_ends_those_who_listen_and_those_who_begin_to():
    async def main():
        notices = Notices()
        early = notices.subscribe()
        notices.publish("server.stop", {})
        notices.close()
        late = notices.subscribe()
        return [notice.kind async for notice in early], [notice async for notice in late]

    assert asyncio.run(main()) == (["server.stop"], [])


def test_steps_of_one_job_belong_together():
    notices = Notices()
    subscription = notices.subscribe()
    notices.publish("download.start", {"job_id": "j"})
    notices.publish("download.progress", {"job_id": "j"})
    notices.publish("model_load.start", {"instance_id": "j"})
    subscription.close()

    async def jobs():
        return [notice.job async for notice in subscription]

    assert asyncio.run(jobs()) == [("download", "j"), ("download", "j"), ("model_load", "j")]
