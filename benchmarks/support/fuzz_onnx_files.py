"""Does any damaged ONNX file give something else than an answer or one clear line, in bounded time and memory?

Thousands of files, damaged in their bytes or in a part of the model, are loaded, counted, encoded, predicted, shrunk, inspected,
imported and given to the command line, in processes with limits. Prints the results by stage, and ends with 1 if a file gave an
error that is not one of the promised types, took over 20 s of processor time or 2 GB of memory in a stage, or killed its process.

    python benchmarks/support/fuzz_onnx_files.py                       # 5,000 files, some twenty minutes on two cores
    python benchmarks/support/fuzz_onnx_files.py --count 150 --seed 7
    python benchmarks/support/fuzz_onnx_files.py --write 4711 -o damaged.onnx   # the file of that number
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parent))

import limited_workers
import onnx_damage
import onnx_zoo
from limited_workers import Accepted, SkippedError, Stage, Verdict

COUNT, SEED = 5000, 14
RESULT = Path(__file__).parents[1] / "results" / "fuzz_onnx_files.json"


def mutant(models: Mapping[str, onnx.ModelProto], seed: int, number: int) -> tuple[str, bytes]:
    """The damaged file of that number, and the name of the model that it was made of."""
    rng = np.random.default_rng([seed, number])
    name = list(models)[int(rng.integers(len(models)))]
    return name, onnx_damage.damaged(models[name], rng)


def stages() -> tuple[Mapping[str, Stage], Accepted]:
    """The stages that a process runs on a file, and the errors that users are promised."""
    import onnx_graph
    import predictors
    from nas.errors import NasError
    from nas.importer import import_model

    sys.path.insert(0, str(Path(__file__).parent))
    predictors.load = cache(predictors.load)  # otherwise the command would read the shipped predictor for every file
    predictor = predictors.load("default")
    models: dict[Path, object] = {}

    def load(path: Path) -> None:
        models.clear()
        models[path] = onnx_graph.load(path)

    def loaded(path: Path) -> "onnx_graph.ir.Model":  # type: ignore[name-defined]
        if path not in models:
            raise SkippedError
        return models[path]

    found: dict[str, Stage] = {
        "load": load,
        "count": lambda path: onnx_graph.count(loaded(path)),
        "simplify": lambda path: onnx_graph.simplify(loaded(path)),
        "encode": lambda path: predictors.encode(loaded(path)),
        "predict": lambda path: predictor.predict(loaded(path), task="digits"),
        "shrink": lambda path: onnx_graph.size(onnx_graph.shrink(loaded(path))),
        "trim": lambda path: onnx_graph.trim(onnx_graph.load(path)) if loaded(path) else None,
        "import": lambda path: import_model(onnx_graph.simplify(loaded(path))),
        "nas inspect": lambda path: _command(["inspect", str(path)]),
        "nas predict": lambda path: _command(["predict", str(path), str(_neighbour(path)), "--task", "digits"]),
    }
    promised = (onnx_graph.GraphError, NasError, predictors.PredictorError)
    return found, lambda error: isinstance(error, (*promised, _Refused))


def _neighbour(path: Path) -> Path:
    return path.with_name("good.onnx")


def _command(words: list[str]) -> None:
    """Run a command in this process; its output and its exit code must be as promised."""
    from nas.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    errors = [line for line in err.getvalue().splitlines() if line.startswith("nas: error: ")]
    if code not in (0, 2, 3) or (code != 0) != (len(errors) == 1):
        raise AssertionError(f"exit code {code} with {len(errors)} lines of error")
    strange = {sign for sign in out.getvalue() + err.getvalue() if sign != "\n" and _acts_on_terminal(sign)}
    if strange:
        raise AssertionError(f"{sorted(strange)} reach the screen")
    if words[0] == "predict" and Path(words[2]).name not in out.getvalue().replace("\n", ""):
        raise AssertionError("one bad file ended the batch")
    if code:
        raise _Refused(errors[0])


def _acts_on_terminal(sign: str) -> bool:
    """Control characters, halves of characters, line breaks, and characters that change the direction of the text after them."""
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or "\u202a" <= sign <= "\u202e"


class _Refused(Exception):  # noqa: N818
    """A command that ended with one line of error."""


def sound_models(state: Path | None, *, exports: bool = True) -> Mapping[str, onnx.ModelProto]:
    """The models that are damaged; read from the folder if an earlier run kept them there."""
    if state is None:
        return onnx_zoo.zoo(exports=exports)
    folder = state / "sound"
    if not folder.exists():
        folder.mkdir(parents=True)
        for name, model in onnx_zoo.zoo(exports=exports).items():
            (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    return {path.stem: onnx.load_model_from_string(path.read_bytes()) for path in sorted(folder.iterdir())}


def run(
    models: Mapping[str, onnx.ModelProto], numbers: Iterable[int], *, seed: int, workers: int
) -> Iterator[tuple[int, str, list[Verdict]]]:
    """Try the files of these numbers; yields number, name of the model and verdicts."""
    names = dict[int, str]()
    with tempfile.TemporaryDirectory(prefix="damaged-") as folder:
        root = Path(folder)

        def jobs() -> Iterator[tuple[int, Path]]:
            for number in numbers:
                place = root / str(number)
                place.mkdir()
                onnx_zoo.write_external(place)
                (place / "good.onnx").write_bytes(models["perceptron"].SerializeToString())
                names[number], data = mutant(models, seed, number)
                (place / "model.onnx").write_bytes(data)
                yield number, place / "model.onnx"

        for number, verdicts in limited_workers.tried(jobs(), stages, workers=workers):
            for file in (root / str(number)).iterdir():
                file.unlink()
            yield number, names[number], verdicts


def table(outcomes: Iterable[list[Verdict]]) -> dict[str, Counter[str]]:
    """Number of files per verdict, by stage."""
    found: dict[str, Counter[str]] = {}
    for verdicts in outcomes:
        for one in verdicts:
            found.setdefault(one.stage, Counter())[one.verdict] += 1
    return found


def show(found: Mapping[str, Counter[str]]) -> None:
    """Print it."""
    columns = ("accepted", "refused", "not reached", *limited_workers.WRONG)
    print(f"{'stage':12}" + "".join(f"{name:>12}" for name in columns))
    for stage, counts in found.items():
        print(f"{stage:12}" + "".join(f"{counts[name]:12,}" for name in columns))


def main() -> int:
    """Run, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help="files (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--start", type=int, default=0, help="number of the first file (default: 0)")
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER", help="keeps verdicts, to go on with a run that was stopped"
    )
    parser.add_argument("--write", type=int, metavar="NUMBER", help="write the file of this number and end")
    parser.add_argument("--out", "-o", type=Path, default=RESULT, help="default: %(default)s")
    args = parser.parse_args()
    models = sound_models(args.state)
    if args.write is not None:
        name, data = mutant(models, args.seed, args.write)
        args.out.write_bytes(data)
        print(f"{args.out}: {name}, damaged")
        return 0
    done = _read(args.state)
    began, todo = time.monotonic(), [n for n in range(args.start, args.start + args.count) if n not in done]
    for at, (number, name, verdicts) in enumerate(run(models, todo, seed=args.seed, workers=args.workers), start=1):
        done[number] = verdicts
        _note(args.state, number, verdicts)
        for one in verdicts:
            if one.verdict in limited_workers.WRONG:
                print(
                    f"{number} ({name}) {one.stage}: {one.verdict} {one.detail!a} {one.seconds:.0f} s {one.bytes:,} bytes",
                    flush=True,
                )
        if at % 250 == 0:
            print(f"{at} of {len(todo)}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    found = table(done.values())
    show(found)
    wrong = sum(counts[name] for counts in found.values() for name in limited_workers.WRONG)
    slowest = max((one.seconds for verdicts in done.values() for one in verdicts), default=0.0)
    largest = max((one.bytes for verdicts in done.values() for one in verdicts), default=0)
    print(
        f"{len(done):,} files, {wrong} not as they must be; longest stage {slowest:.1f} s, most memory {largest / 1e9:.2f} GB"
    )
    result = {
        "files": len(done),
        "seed": args.seed,
        "wrong": wrong,
        "longest_stage_seconds": round(slowest, 2),
        "most_memory_gigabytes": round(largest / 1e9, 3),
        "stages": {stage: dict(counts) for stage, counts in found.items()},
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if wrong else 0


def _read(state: Path | None) -> dict[int, list[Verdict]]:
    if state is None or not (state / "verdicts.jsonl").exists():
        return {}
    rows = [json.loads(line) for line in (state / "verdicts.jsonl").read_text().splitlines()]
    return {row["number"]: [Verdict(**one) for one in row["verdicts"]] for row in rows}


def _note(state: Path | None, number: int, verdicts: list[Verdict]) -> None:
    if state is not None:
        with (state / "verdicts.jsonl").open("a") as file:
            file.write(json.dumps({"number": number, "verdicts": [one.to_json() for one in verdicts]}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
