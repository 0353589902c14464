"""A ball's threads on a GPU, as threads of Python: to run kernels of lanes where there is no GPU.

numba's simulator has no exchange between the threads of a warp, which is all that these kernels do with one another.
Here one thread runs at a time, up to its next exchange; then the next one goes on.
"""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ballcast.sim.kernels.lane_numbers import LANES


class Warp:
    """Stands for numba.cuda in kernels of lanes."""

    def __init__(self, number: int = 0):
        self.lane, self.thread, self.first = 0, 0, LANES * number  # number: 0 or 1, of the ball in its warp
        self.local = SimpleNamespace(array=self._array)

    @staticmethod
    def _array(shape, dtype):
        """Memory of a thread's own, with numbers in it that spoil every result."""
        dtype = np.dtype(dtype)
        if dtype.names:
            return np.full(shape, np.void(b"\xff" * dtype.itemsize)).view(np.dtype((np.record, dtype)))
        return np.full(shape, np.nan if dtype.kind == "f" else 9, dtype)

    @property
    def laneid(self) -> int:
        return self.first + self.lane

    def grid(self, axes: int) -> int:
        return self.thread

    def shfl_sync(self, mask: int, value: Any, lane: int) -> Any:
        assert mask == 0xFFFF << self.first
        return self.exchange(value)[lane - self.first]

    def shfl_xor_sync(self, mask: int, value: Any, step: int) -> Any:
        own = self.lane
        return self.exchange(value)[own ^ step]

    def exchange(self, value: Any) -> list:
        """The values of all lanes."""
        lane = self.lane
        places = self._places[self._turns[lane] % 2]
        self._turns[lane] += 1
        places[lane] = value
        self._pass_on(lane)
        self._wait(lane)
        return places

    def lane_sum(self, value: float) -> float:
        """The sum over the lanes, in one exchange."""
        return np.float64(sum(self.exchange(value)))

    def lane_max(self, value: float) -> float:
        """The largest of the lanes, in one exchange."""
        return np.float64(max(self.exchange(value)))

    def run(self, kernel: Callable, ball: int, *arguments: Any) -> list:
        """What a kernel, or a function, returns in each of the threads of a ball."""
        self._places, self._turns, self._error = [[None] * LANES, [None] * LANES], [0] * LANES, None
        self._locks, results = [threading.Lock() for _ in range(LANES)], [None] * LANES

        def work(lane):
            self._wait(lane)
            try:
                results[lane] = kernel(*arguments)
            except BaseException as error:  # noqa: BLE001 - it is raised again
                self._error = self._error or error
            self._pass_on(lane)

        for lock in self._locks:
            lock.acquire()
        self._ball = ball
        threads = [threading.Thread(target=work, args=(lane,)) for lane in range(LANES)]
        for thread in threads:
            thread.start()
        self._locks[0].release()
        for thread in threads:
            thread.join()
        if self._error:
            raise self._error
        assert len(set(self._turns)) == 1  # all exchanged as often
        return results

    def _pass_on(self, lane):
        if self._locks[(lane + 1) % LANES].locked():
            self._locks[(lane + 1) % LANES].release()

    def _wait(self, lane):
        self._locks[lane].acquire()
        if self._error:
            raise self._error
        self.lane, self.thread = lane, self._ball * LANES + lane
