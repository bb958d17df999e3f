from .counts import Counts as Counts
from .counts import count as count
from .cutting.layer_cutting import CutError as CutError
from .cutting.layer_cutting import cut_layers as cut_layers
from .cutting.layer_cutting import summed_layers as summed_layers
from .cutting.shrinking import shrink as shrink
from .errors import FixedBatchError as FixedBatchError
from .errors import GraphError as GraphError
from .errors import InvalidModelError as InvalidModelError
from .errors import UnreadableModelError as UnreadableModelError
from .errors import UnsupportedOperatorError as UnsupportedOperatorError
from .errors import WeightError as WeightError
from .files.durable_file import is_temporary as is_temporary
from .files.durable_file import remove_stale as remove_stale
from .files.durable_file import temporary_path as temporary_path
from .files.durable_file import write_durably as write_durably
from .files.file import from_proto as from_proto
from .files.file import load as load
from .files.file import save as save
from .files.file import size as size
from .names import nearest as nearest
from .names import require_name as require_name
from .names import unknown_name as unknown_name
from .registry import Builtin as Builtin
from .registry import Listed as Listed
from .registry import Registry as Registry
from .rewriting.batch_axis import fixed_batch as fixed_batch
from .rewriting.batch_axis import free_batch as free_batch
from .rewriting.input_normalisation import Separated as Separated
from .rewriting.input_normalisation import prepend_normalisation as prepend_normalisation
from .rewriting.input_normalisation import split_normalisation as split_normalisation
from .rewriting.notes import drop_notes as drop_notes
from .rewriting.simplification import simplify as simplify
from .units.live_units import Liveness as Liveness
from .units.live_units import dead_units as dead_units
from .units.live_units import effective_masks as effective_masks
from .units.live_units import liveness as liveness
from .units.live_units import trim as trim
from .weight import Weight as Weight
from .weight import masks as masks
from .weight import set_weights as set_weights
from .weight import weights as weights

__all__ = [
    "Builtin",
    "Counts",
    "CutError",
    "FixedBatchError",
    "GraphError",
    "InvalidModelError",
    "Listed",
    "Liveness",
    "Registry",
    "Separated",
    "UnreadableModelError",
    "UnsupportedOperatorError",
    "Weight",
    "WeightError",
    "count",
    "cut_layers",
    "dead_units",
    "drop_notes",
    "effective_masks",
    "fixed_batch",
    "free_batch",
    "from_proto",
    "is_temporary",
    "liveness",
    "load",
    "masks",
    "nearest",
    "prepend_normalisation",
    "remove_stale",
    "require_name",
    "save",
    "set_weights",
    "shrink",
    "simplify",
    "size",
    "split_normalisation",
    "summed_layers",
    "temporary_path",
    "trim",
    "unknown_name",
    "weights",
    "write_durably",
]
