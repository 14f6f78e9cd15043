"""Each key once, never two passes of one at a time, none lost."""

import asyncio
import random

import pytest

from trading_operator.kube.work_queue import WorkQueue


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def _take_now(queue: WorkQueue[str]) -> str | None:
    try:
        return await asyncio.wait_for(queue.take(), 0.05)
    except TimeoutError:
        return None


async def test_a_key_that_is_woken_often_is_taken_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for _ in range(5):
        queue.wake("a")
    assert await _take_now(queue) == "a"
    assert await _take_now(queue) is None


async def test_a_key_woken_during_its_pass_is_due_after_it_and_not_before() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.wake("a")
    assert await _take_now(queue) == "a"
    queue.wake("a")
    assert await _take_now(queue) is None
    queue.release("a")
    assert await _take_now(queue) == "a"
    queue.release("a")
    assert await _take_now(queue) is None


async def test_keys_are_taken_in_the_order_of_their_wakes_and_urgent_ones_first() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.wake("a")
    queue.wake("b")
    queue.wake("c", urgent=True)
    assert [await _take_now(queue) for _ in range(3)] == ["c", "a", "b"]


async def test_a_later_due_time_does_not_put_off_an_earlier_one() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.wake_after("a", 10)
    queue.wake_after("a", 300)
    clock.now = 9
    assert await _take_now(queue) is None
    clock.now = 11
    assert await _take_now(queue) == "a"
    queue.release("a")
    clock.now = 301
    assert await _take_now(queue) is None


async def test_an_earlier_due_time_counts_and_a_wake_replaces_both() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.wake_after("a", 300)
    queue.wake_after("a", 10)
    queue.wake("a")
    assert await _take_now(queue) == "a"
    queue.release("a")
    clock.now = 1000
    assert await _take_now(queue) is None


async def test_a_sleeping_taker_wakes_up_for_a_due_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    taker = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.wake_after("a", 0.02)
    assert await asyncio.wait_for(taker, 1) == "a"


async def test_failures_back_off_until_the_key_settles() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    seconds = []
    for _ in range(12):
        seconds.append(queue.retry("a"))
        queue.wake("a")
        await _take_now(queue)
        queue.release("a")
    assert seconds[0] <= 0.1
    assert 30 <= seconds[-1] <= 60
    queue.settle("a")
    assert queue.retry("a") <= 0.1


async def test_keys_that_are_due_for_ever_starve_nobody() -> None:
    queue: WorkQueue[str] = WorkQueue()
    ran: list[str] = []
    asyncio.get_running_loop().call_soon(ran.append, "another task")
    queue.wake("a")
    assert await queue.take() == "a"
    assert ran


async def test_how_a_key_fails_is_known_until_it_settles() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    clock.now = 5.0
    queue.retry("a")
    clock.now = 7.0
    queue.retry("a")
    failing = queue.failing("a")
    assert (failing.times, failing.seconds) == (2, 2.0)
    queue.settle("a")
    assert (queue.failing("a").times, queue.failing("a").seconds) == (0, 0.0)


async def test_a_forgotten_key_is_not_taken() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.wake("a")
    queue.wake_after("b", 1)
    queue.forget("a")
    queue.forget("b")
    clock.now = 5
    assert await _take_now(queue) is None
    assert queue.depth == 0


async def test_depth_and_age_tell_of_the_keys_that_wait() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    assert (queue.depth, queue.oldest) == (0, 0.0)
    queue.wake("a")
    clock.now = 4
    queue.wake("b")
    assert (queue.depth, queue.oldest) == (2, 4.0)


async def test_due_times_that_were_overtaken_do_not_pile_up() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    for _ in range(1000):
        clock.now += 0.001
        queue.wake_after("a", 300)
        queue.wake("a")
        await queue.take()
        queue.release("a")
    assert len(queue._heap) < 200


@pytest.mark.parametrize("seed", range(5))
async def test_many_workers_never_share_a_key_and_miss_no_wake(seed: int) -> None:
    chance = random.Random(seed)
    queue: WorkQueue[int] = WorkQueue()
    wanted, seen, active = dict.fromkeys(range(10), 0), dict.fromkeys(range(10), 0), set()

    async def work() -> None:
        while True:
            key = await queue.take()
            assert key not in active
            active.add(key)
            seen[key] = wanted[key]
            await asyncio.sleep(chance.uniform(0, 0.002))
            active.discard(key)
            queue.release(key)

    workers = [asyncio.create_task(work()) for _ in range(4)]
    for _ in range(300):
        key = chance.randrange(10)
        wanted[key] += 1
        queue.wake(key) if chance.random() < 0.7 else queue.wake_after(key, 0.001)
        await asyncio.sleep(chance.choice([0, 0, 0.001]))
    await asyncio.sleep(0.2)
    assert not [worker for worker in workers if worker.done()]
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert seen == wanted


async def test_a_lane_of_its_own_takes_urgent_keys_alone_and_at_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.wake("slow")
    waiting = asyncio.create_task(queue.take(urgent=True))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    queue.wake("failing", urgent=True)
    assert await asyncio.wait_for(waiting, 0.5) == "failing"
    assert queue.is_urgent("failing")
    assert await _take_now(queue) == "slow"
    assert not queue.is_urgent("slow")
    queue.release("failing")
    assert not queue.is_urgent("failing")
