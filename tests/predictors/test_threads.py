"""One thread of linear algebra, whatever was imported before."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from time import sleep

from threadpoolctl import threadpool_info, threadpool_limits

from predictors.threads import one_thread

SCRIPT = """
import numpy
from predictors.threads import one_thread
with one_thread():
    pass
import scipy.linalg, scipy.optimize
from threadpoolctl import threadpool_info
with one_thread():
    found = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
print(found)
assert found and set(found) == {1}, found
"""


def test_libraries_that_are_loaded_later_are_held_to_one_thread_too():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, timeout=120)


def _threads() -> list[int]:
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


def test_threads_come_back_when_the_last_has_left():
    seen = []

    def stay(place: int) -> None:
        with one_thread():
            sleep(0.001 * (place % 3))
            seen.extend(_threads())

    with one_thread():  # loads what is limited
        pass
    with threadpool_limits(2, user_api="blas"):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(stay, range(40)))
        assert set(_threads()) == {2}
    assert len(seen) >= 40
    assert set(seen) == {1}
