"""The command line sets its own process up before numpy is loaded; a call of `main` from Python changes nothing."""

import gc
import os
import subprocess
import sys

from nas.cli.main import main

SCRIPT = """
import gc, os, sys
import nas.cli.main as cli
assert "numpy" not in sys.modules
sys.argv = ["nas", *sys.argv[1:]]
def show(argv):
    import numpy, scipy.linalg
    from threadpoolctl import threadpool_info
    print(gc.isenabled(), gc.get_threshold()[0], sorted({one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}))
    return 0
cli.main = show
cli.entry()
"""


def _said(verb: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", SCRIPT, verb]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=120, env=environment
    ).stdout.strip()


def test_a_short_command_computes_on_one_thread_without_the_collector():
    assert _said("predict").startswith("False ")
    assert _said("predict").endswith("[1]")


def test_a_long_command_collects_seldom():
    assert _said("search") == "True 10000 [1]"


def test_a_command_called_from_python_leaves_the_process_alone(capsys):
    before = gc.isenabled(), gc.get_threshold(), dict(os.environ)
    assert main(["list", "tasks"]) == 0
    assert (gc.isenabled(), gc.get_threshold(), dict(os.environ)) == before
    assert "digits" in capsys.readouterr().out
