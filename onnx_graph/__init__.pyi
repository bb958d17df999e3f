from .counts import Counts as Counts
from .counts import count as count
from .errors import GraphError as GraphError
from .errors import InvalidModelError as InvalidModelError
from .errors import UnreadableModelError as UnreadableModelError
from .errors import UnsupportedOperatorError as UnsupportedOperatorError
from .errors import WeightError as WeightError
from .file import from_proto as from_proto
from .file import load as load
from .file import save as save
from .file import size as size
from .layer_cutting import CutError as CutError
from .layer_cutting import cut_layers as cut_layers
from .layer_cutting import summed_layers as summed_layers
from .live_units import Liveness as Liveness
from .live_units import dead_units as dead_units
from .live_units import effective_masks as effective_masks
from .live_units import liveness as liveness
from .live_units import trim as trim
from .shrinking import shrink as shrink
from .simplification import simplify as simplify
from .weight import Weight as Weight
from .weight import masks as masks
from .weight import set_weights as set_weights
from .weight import weights as weights

__all__ = [
    "Counts",
    "CutError",
    "GraphError",
    "InvalidModelError",
    "Liveness",
    "UnreadableModelError",
    "UnsupportedOperatorError",
    "Weight",
    "WeightError",
    "count",
    "cut_layers",
    "dead_units",
    "effective_masks",
    "from_proto",
    "liveness",
    "load",
    "masks",
    "save",
    "set_weights",
    "shrink",
    "simplify",
    "size",
    "summed_layers",
    "trim",
    "weights",
]
