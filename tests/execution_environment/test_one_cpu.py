"""The threads of a process on one CPU: chosen by the kernel, claimed, and given back."""

import asyncio
import errno
import threading
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest

from common.processes.locking import try_lock
from execution_environment.one_cpu import OneCpu

CPUS = (2, 3, 5)
LONG, AT_ONCE = timedelta(hours=1), timedelta(0)


class Kernel:
    """Says where the caller is, and notes where threads are to run."""

    def __init__(self, *here: int):
        self._here = cycle(here)
        self.cpus: dict[int, set[int]] = {}
        self.all: list[set[int]] = []
        self.refusal: OSError | None = None

    def place(self, thread, cpus):
        """Take note of a thread."""
        if self.refusal is not None:
            raise self.refusal
        self.cpus[thread] = set(cpus)
        if thread == threading.get_native_id():
            self.all.append(set(cpus))

    def current(self):
        """Say where the caller is."""
        return next(self._here)

    async def until(self, cpus):
        """Wait until the event loop's thread is to run there."""
        async with asyncio.timeout(10):
            while self.cpus.get(threading.get_native_id()) != cpus:
                await asyncio.sleep(0)


@asynccontextmanager
async def kept(directory, kernel, stay=LONG):
    """Keep threads together meanwhile."""
    one = OneCpu(directory / "cpus", CPUS, kernel.place, kernel.current)
    task = asyncio.create_task(one.run(stay, AT_ONCE))
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def claimed(directory, cpu):
    """Claim a CPU as another process does; return the open file."""
    directory.mkdir(exist_ok=True)
    file = (directory / str(cpu)).open("w")
    assert try_lock(file)
    return file


@pytest.fixture
def other():
    """Another thread, at work."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield thread
    over.set()
    thread.join()


async def test_all_threads_go_where_the_kernel_has_put_the_loop(tmp_path, other):
    kernel = Kernel(3)
    async with kept(tmp_path, kernel):
        await kernel.until({3})
        assert kernel.cpus[other.native_id] == {3}
    assert kernel.cpus[other.native_id] == set(CPUS)
    assert kernel.all[0] == kernel.all[-1] == set(CPUS)


async def test_the_choice_is_made_anew(tmp_path):
    kernel = Kernel(3, 5)
    async with kept(tmp_path, kernel, AT_ONCE):
        await kernel.until({3})
        await kernel.until({5})
    claimed(tmp_path / "cpus", 3).close()
    claimed(tmp_path / "cpus", 5).close()


async def test_what_another_process_has_is_not_taken(tmp_path):
    kernel = Kernel(3)
    with claimed(tmp_path / "cpus", 3), claimed(tmp_path / "cpus", 2):
        async with kept(tmp_path, kernel):
            await kernel.until({5})


async def test_who_has_one_stays_where_the_better_one_is_taken(tmp_path):
    kernel = Kernel(5, 3)
    with claimed(tmp_path / "cpus", 3):
        async with kept(tmp_path, kernel, AT_ONCE):
            await kernel.until({5})
            await kernel.until(set(CPUS))
            await kernel.until({5})
    assert {frozenset(cpus) for cpus in kernel.all} == {frozenset({5}), frozenset(CPUS)}


async def test_more_processes_than_cpus_share_all_of_them(tmp_path):
    kernel = Kernel(3)
    files = [claimed(tmp_path / "cpus", cpu) for cpu in CPUS]
    async with kept(tmp_path, kernel, AT_ONCE):
        await kernel.until(set(CPUS))
        assert {frozenset(cpus) for cpus in kernel.all} == {frozenset(CPUS)}
        files[0].close()
        await kernel.until({int(Path(files[0].name).name)})
    for file in files:
        file.close()


async def test_one_cpu_is_no_choice(tmp_path):
    kernel = Kernel(3)
    await OneCpu(tmp_path / "cpus", {3}, kernel.place, kernel.current).run()
    assert (kernel.all, list(tmp_path.iterdir())) == ([], [])


async def test_where_the_system_refuses_it_is_tried_again(tmp_path, caplog):
    kernel = Kernel(3)
    kernel.refusal = PermissionError(errno.EPERM, "Operation not permitted")
    async with kept(tmp_path, kernel, AT_ONCE):
        while "not kept on one CPU" not in caplog.text:
            await asyncio.sleep(0)
        kernel.refusal = None
        await kernel.until({3})
    assert caplog.text.count("not kept on one CPU") == 1


async def test_what_is_no_cpu_of_ours_is_not_claimed(tmp_path):
    """The kernel may not tell, or have moved the process."""
    kernel = Kernel(-1)
    async with kept(tmp_path, kernel):
        await kernel.until({min(CPUS)})
    assert [path.name for path in (tmp_path / "cpus").iterdir()] == [str(min(CPUS))]


async def test_a_thread_that_has_just_ended_keeps_nobody_from_it(tmp_path, other):
    kernel = Kernel(3)

    def place(thread, cpus):
        if thread == other.native_id:
            raise ProcessLookupError
        kernel.place(thread, cpus)

    one = OneCpu(tmp_path / "cpus", CPUS, place, kernel.current)
    task = asyncio.create_task(one.run(LONG, AT_ONCE))
    await kernel.until({3})
    task.cancel()
