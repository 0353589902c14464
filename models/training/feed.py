"""Batches made ahead of their use, in a thread of their own: the simulator runs while the network learns."""

import queue
import threading


class Prefetcher:
    """The batches from number `first` on, in order: with Feed(batches, first) as feed: next(feed)."""

    def __init__(self, batches, first, depth=3):
        self.queue, self.stop = queue.Queue(depth), threading.Event()
        self.thread = threading.Thread(target=self._work, args=(batches, first), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def __next__(self):
        batch = self.queue.get()
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def _work(self, batches, number):
        while not self.stop.is_set():
            try:
                batch = batches[number]
            except Exception as error:  # noqa: BLE001 - whatever it was is raised where the batch is asked for
                batch = error
            while not self.stop.is_set():
                try:
                    self.queue.put(batch, timeout=0.1)
                    break
                except queue.Full:
                    pass
            number += 1
