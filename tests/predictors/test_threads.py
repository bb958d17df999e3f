"""One thread of linear algebra, whatever was imported before."""

import subprocess
import sys

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
