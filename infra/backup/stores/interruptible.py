"""Calls that wait outside of Python, and can be left with Ctrl-C all the same."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def interruptible(call: Callable[[], Result]) -> Result:
    """Return what a call does; interrupted, it is left behind in a thread that ends with the process at the latest.

    Python hears of a signal in the main thread only, and there only between two steps of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    future: Future[Result] = Future()

    def answer() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is raised where the call was made)
            future.set_exception(error)

    threading.Thread(target=answer, daemon=True).start()
    return future.result()
