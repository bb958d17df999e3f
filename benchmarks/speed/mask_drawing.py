"""How long does it take to draw the masks of a network from a recipe, for every pattern?

The fastest of many draws, in milliseconds: an MLP 64-48-48-48-10 at four densities (ERK), one recurrent 64 × 64 matrix and
a GRU's 192 × 64 at density 0.1.
"""

import argparse
import json
import time
from collections.abc import Sequence

from benchmarks.support.places import RESULTS
from search_spaces import MaskRecipe
from search_spaces.masks import PATTERNS, MaskLayer, draw

REPEATS = 100
DENSITIES = (0.02, 0.1, 0.3, 0.5)
MLP = [MaskLayer(name=f"w{i}", shape=shape) for i, shape in enumerate([(48, 64), (48, 48), (48, 48), (10, 48)])]
RECURRENT = [MaskLayer(name="r", shape=(64, 64), kind="recurrent")]
GRU = [MaskLayer(name="r", shape=(192, 64), kind="recurrent", gates=3)]


def milliseconds(recipe: MaskRecipe, layers: Sequence[MaskLayer], repeats: int) -> float:
    """The fastest of `repeats` draws, ms."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        draw(recipe, layers)
        best = min(best, time.perf_counter() - start)
    return round(1000 * best, 3)


def main() -> None:
    """Print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test: each mask is drawn twice")
    args = parser.parse_args()
    repeats = 2 if args.quick else REPEATS
    rows = {}
    for pattern in PATTERNS:
        times = {
            f"mlp {density}": milliseconds(
                MaskRecipe(distribution="erk", pattern=pattern, density=density), MLP, repeats
            )
            for density in DENSITIES
        }
        times["recurrent"] = milliseconds(MaskRecipe(pattern=pattern, density=0.1), RECURRENT, repeats)
        times["gru"] = milliseconds(MaskRecipe(pattern=pattern, density=0.1), GRU, repeats)
        rows[pattern] = times
    columns = list(next(iter(rows.values())))
    print(f"{'milliseconds':16}" + "".join(f"{column:>11}" for column in columns))
    for pattern, times in rows.items():
        print(f"{pattern:16}" + "".join(f"{times[column]:11.3f}" for column in columns))
    path = RESULTS / f"mask_drawing{'_quick' if args.quick else ''}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"unit": "ms", "repeats": repeats, "patterns": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
