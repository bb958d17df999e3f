"""The processor time of each test, in addition to its result.

A test may take `MOST` seconds of processor time. One that takes more says how much and why: ``@pytest.mark.takes(12, "trains to the
end")``. The summary of a run lists every test that takes longer than it says. With NAS_TIMES=strict the run fails if one takes
`TOLERANCE` times as long: processor time does not depend on what else runs on the machine, but machines differ.
"""

import os
from collections.abc import Iterator

import pytest

MOST = 5.0
"""Most processor seconds of a test without a marker `takes` or `slow`."""
TOLERANCE = 3.0
PROPERTY = "processor seconds"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note the seconds of the test with its report."""
    before = processor_seconds()
    try:
        return (yield)
    finally:
        marker = item.get_closest_marker("takes")
        allowed = float("inf") if item.get_closest_marker("slow") else float(marker.args[0]) if marker else MOST
        item.user_properties.append((PROPERTY, [processor_seconds() - before, allowed]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that two processes end together. A marker `takes` without a reason is an error."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/test_snippets.py"))
    for item in items:
        for marker in item.iter_markers("takes"):
            if len(marker.args) != 2 or not str(marker.args[1]).strip():
                raise pytest.UsageError(f"{item.nodeid}: takes(seconds, why) needs both")


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    """List the tests that took longer than allowed."""
    late = overdue(terminalreporter, 1.0)
    if late:
        terminalreporter.section(f"tests that took longer than they say (over {MOST:g} s: mark them `takes`)")
    for name, (seconds, allowed) in late.items():
        terminalreporter.line(f"{seconds:6.1f} s of processor time, {allowed:g} s allowed  {name}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With NAS_TIMES=strict, fail a run in which a test took far longer than it says."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    strict = os.environ.get("NAS_TIMES") == "strict" and exitstatus == pytest.ExitCode.OK
    if strict and reporter is not None and overdue(reporter, TOLERANCE):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def overdue(reporter: "pytest.TerminalReporter", times: float) -> dict[str, list[float]]:
    """Seconds and allowance of the tests that took more than `times` their allowance, the longest first."""
    found = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in reporter.getreports(outcome):
            for name, value in getattr(report, "user_properties", ()):
                if report.when == "call" and name == PROPERTY and value[0] > times * value[1]:
                    found[report.nodeid] = value
    return dict(sorted(found.items(), key=lambda one: -one[1][0]))


def processor_seconds() -> float:
    """Of this process and its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
