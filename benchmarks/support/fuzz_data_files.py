"""Does every broken data file, configuration, report and journal end in one clear line, within 20 seconds and 2 GB?

    python benchmarks/support/fuzz_data_files.py                      # 1,000 mutants: benchmarks/results/fuzz_data_files.json
    python benchmarks/support/fuzz_data_files.py --mutants 100        # no results are written
    python benchmarks/support/fuzz_data_files.py --only csv --number 17 --keep /tmp/mutants

Every mutant is read by the command line, in a process with a memory limit that is started again if it dies. Seconds are processor
time. The exit code is 1 after any of these: an unexpected error (a traceback), more than one line of error, control characters on
the terminal, too much time or memory, a dead process.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from data_file_formats import FORMATS, OF_A_RUN, REFUSED, Format, make_sound_files

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "fuzz_data_files.json"
SHARD = ROOT / "benchmarks" / "corpus" / "mlp-digits" / "0000.jsonl.gz"
MOST_SECONDS, MOST_BYTES = 20.0, 2_000_000_000
PATIENCE = 120.0
"""Seconds of wall time after which a process that does nothing is ended."""
FINE = ("read", "refused")
WRONG = ("untyped", "several lines", "control characters", "too slow", "too large", "crashed")


@dataclass(frozen=True)
class Mutant:
    """One changed file, determined by seed, format and number."""

    seed: int
    format: str
    number: int

    def write(self, sound: Path, folder: Path) -> str:
        """Make a folder with the changed file in it; returns the name of the mutation."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sound / self.format, folder)
        form = FORMATS[self.format]
        path = folder / form.target
        rng = random.Random(f"{self.seed} {self.format} {self.number}")
        if self.number < len(SPECIAL):
            name = list(SPECIAL)[self.number]
            if name != "bomb" or form.bomb is not None:
                path.unlink()
                SPECIAL[name](path, form)
                return name
        name = rng.choice(list(form.mutations))
        content = path.read_bytes()
        inside = form.unpack is not None and rng.random() < 0.7
        if inside and form.unpack is not None and form.pack is not None:
            path.write_bytes(form.pack(form.mutations[name](form.unpack(content), rng)))
        else:
            path.write_bytes(form.mutations[name](content, rng))
        return name


def _bomb(path: Path, form: Format) -> None:
    if form.bomb is not None:
        path.write_bytes(form.bomb())


SPECIAL = {
    "device": lambda path, form: path.symlink_to("/dev/zero"),
    "pipe": lambda path, form: os.mkfifo(path),
    "folder": lambda path, form: path.mkdir(),
    "empty": lambda path, form: path.touch(),
    "absent": lambda path, form: None,
    "bomb": _bomb,
}
"""The first mutants of every format."""


@dataclass(frozen=True)
class Outcome:
    """The result for one mutant."""

    kind: str
    message: str
    seconds: float
    bytes: int


# --- the process that reads ---------------------------------------------------------------------------------------


def read(words: list[str], most_seconds: float = MOST_SECONDS) -> Outcome:
    """Run a command of `nas` in this process and judge its output."""
    from nas.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak of the memory
    begin = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: int | None = main(words)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:  # noqa: BLE001  unexpected errors of `nas` are what this script looks for
            code = None
            err.write(traceback.format_exc())
    seconds, used = time.process_time() - begin, _peak()
    said = err.getvalue()
    kind = judge(code, out.getvalue(), said)
    if "llocate" in said or "MemoryError" in said or used > MOST_BYTES:
        kind = "too large"
    if seconds > most_seconds:
        kind = "too slow"
    return Outcome(kind, said[-3000:], seconds, used)


def judge(code: int | None, out: str, err: str) -> str:
    """The kind of an outcome by exit code (None: an exception) and what was printed."""
    if code is None:
        return "untyped"
    if any((ord(character) < 32 and character != "\n") or 127 <= ord(character) < 160 for character in out + err):
        return "control characters"
    if code == 0:
        return "read"
    return "refused" if err.count("nas: error:") == 1 and err.count("\n") == 1 else "several lines"


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process used")


def _work(connection: Connection, sound: Path, formats: list[str]) -> None:
    """Read valid files first, so that libraries are loaded; then the requested files, with a memory limit."""
    for name in formats:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(sound / name, folder, dirs_exist_ok=True)
            connection.send((name, read(FORMATS[name].command(Path(folder)), PATIENCE)))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, used + MOST_BYTES))
    while (words := connection.recv()) is not None:
        connection.send(read(words))


# --- the process that asks ----------------------------------------------------------------------------------------


class Reader:
    """A process that reads one mutant after the other."""

    def __init__(self, sound: Path, formats: list[str]) -> None:
        """Start a process; `RuntimeError` if it cannot read a valid file."""
        self._sound, self._formats = sound, formats
        self._start()

    def _start(self) -> None:
        self._connection, other = multiprocessing.get_context("spawn").Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_work, args=(other, self._sound, self._formats), daemon=True)
        self._process.start()
        other.close()
        for _ in self._formats:
            name, outcome = self._connection.recv()
            if outcome.kind != ("refused" if name in REFUSED else "read"):
                raise RuntimeError(f"the sound {name} is {outcome.kind}: {outcome.message}")

    def ask(self, words: list[str]) -> Outcome:
        """The result of a command; a dead or endless process is replaced."""
        begin = time.monotonic()
        self._connection.send(words)
        try:
            if self._connection.poll(PATIENCE):
                found: Outcome = self._connection.recv()
                return found
            outcome = Outcome("too slow", f"nothing after {PATIENCE:.0f} s", time.monotonic() - begin, 0)
        except (EOFError, ConnectionError):
            self._process.join(10)
            outcome = Outcome("crashed", f"exit code {self._process.exitcode}", time.monotonic() - begin, 0)
        self.close()
        self._start()
        return outcome

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._connection.close()


def mutants(count: int, seed: int, formats: list[str], first: int = 0) -> Iterator[Mutant]:
    """The given number of mutants, the same number of each format; numbers start at `first`."""
    for place in range(count):
        yield Mutant(seed, formats[place % len(formats)], first + place // len(formats))


def sound_files(folder: Path, formats: list[str]) -> Path:
    """A folder with a valid file of each format; the files of a run come from a small search."""
    run = folder / "run" if set(formats) & set(OF_A_RUN) else None
    if run is not None:
        from nas.cli.main import main

        words = ["search", "--task", "digits", "--subset", "300", "--space", "mlp", "--constraint", "nnz<=300", "-q"]
        with contextlib.redirect_stdout(io.StringIO()):
            code = main([*words, "--trainings", "9", "--epochs", "1", "--repeats", "2", "--out", str(run)])
        if code:
            raise RuntimeError("the search for the sound files failed")
    make_sound_files(folder / "sound", formats, run=run, shard=SHARD)
    return folder / "sound"


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=1000, metavar="N", help="in all (default: 1,000)")
    parser.add_argument("--seed", type=int, default=14, metavar="N")
    parser.add_argument("--only", action="append", choices=list(FORMATS), metavar="FORMAT", help="repeatable")
    parser.add_argument("--number", type=int, metavar="N", help="this one mutant of each format alone")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number to begin with")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy mutants that went wrong there")
    parser.add_argument(
        "--output", type=Path, metavar="FILE.json", help="results (default: of 1,000 mutants, in results/)"
    )
    return parser.parse_args()


def main() -> int:
    """Run and report."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.environ.pop("NAS_DATA_DIR", None)
    args = arguments()
    formats = args.only or list(FORMATS)
    count = args.mutants if args.number is None else len(formats)
    chosen = list(mutants(count, args.seed, formats, args.first if args.number is None else args.number))
    found: list[tuple[Mutant, str, Outcome]] = []
    with tempfile.TemporaryDirectory() as folder:
        sound = sound_files(Path(folder), formats)
        reader = Reader(sound, formats)
        for done, mutant in enumerate(chosen):
            place = Path(folder) / "mutant"
            mutation = mutant.write(sound, place)
            outcome = reader.ask(FORMATS[mutant.format].command(place))
            found.append((mutant, mutation, outcome))
            if outcome.kind not in FINE:
                _tell(mutant, mutation, outcome)
                if args.keep:
                    _keep(place, args.keep / f"{mutant.format}-{mutant.number}")
            if done % 100 == 99:
                print(f"{done + 1} of {len(chosen)} mutants", file=sys.stderr, flush=True)
        reader.close()
    result = summary(args.seed, found)
    _print(result)
    output = args.output or (RESULTS if args.mutants >= 1000 and not args.only and args.number is None else None)
    if output is not None:
        output.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(row[kind] for row in result["formats"] for kind in WRONG))


def summary(seed: int, found: list[tuple[Mutant, str, Outcome]]) -> dict:
    """Counts of outcomes by format, the slowest and the largest."""
    rows = []
    for name in dict.fromkeys(mutant.format for mutant, _, _ in found):
        own = [(mutation, outcome) for mutant, mutation, outcome in found if mutant.format == name]
        kinds = Counter(outcome.kind for _, outcome in own)
        rows.append(
            {"format": name, "mutants": len(own)}
            | {kind: kinds[kind] for kind in (*FINE, *WRONG)}
            | {
                "most seconds": round(max(outcome.seconds for _, outcome in own), 2),
                "most MB": round(max(outcome.bytes for _, outcome in own) / 1e6),
            }
        )
    return {
        "question": (__doc__ or "").splitlines()[0],
        "seed": seed,
        "mutants": len(found),
        "limits": {"seconds": MOST_SECONDS, "bytes": MOST_BYTES},
        "formats": rows,
        "mutations": dict(sorted(Counter(mutation for _, mutation, _ in found).items())),
    }


def _print(result: dict) -> None:
    columns = list(result["formats"][0])
    total = {name: sum(row[name] for row in result["formats"]) for name in columns[1:-2]}
    last = {name: max(row[name] for row in result["formats"]) for name in columns[-2:]}
    for row in [dict(zip(columns, columns, strict=True)), *result["formats"], {"format": "all"} | total | last]:
        print(
            "  ".join(
                str(row[name]).ljust(16) if name == "format" else str(row[name]).rjust(len(name)) for name in columns
            )
        )


def _tell(mutant: Mutant, mutation: str, outcome: Outcome) -> None:
    print(
        f"--- {outcome.kind}: {mutant.format} {mutant.number} ({mutation}), {outcome.seconds:.1f} s, {outcome.bytes / 1e6:.0f} MB\n"
        f"{outcome.message!s:.3000}",
        file=sys.stderr,
        flush=True,
    )


def _keep(place: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(
        place, target, symlinks=True, ignore=lambda folder, names: [n for n in names if Path(folder, n).is_fifo()]
    )


if __name__ == "__main__":
    sys.exit(main())
