from .algebra import NUMBERS as NUMBERS
from .algebra import Algebra as Algebra
from .call import Product as Product
from .call import Recurrence as Recurrence
from .field import Dims as Dims
from .field import Field as Field
from .field import widened as widened
from .places import Pick as Pick
from .places import Put as Put
from .relation import KEPT as KEPT
from .relation import NOTHING as NOTHING
from .relation import Path as Path
from .relation import Relation as Relation
from .relation import backward as backward
from .relation import forward as forward
from .relation import mixed as mixed
from .relation import mixing as mixing
from .relation import paths as paths
from .relation import without_gates as without_gates
from .step import Insert as Insert
from .step import Stretch as Stretch
from .weighted import Through as Through

__all__ = [
    "Algebra",
    "Dims",
    "Field",
    "Insert",
    "KEPT",
    "NOTHING",
    "NUMBERS",
    "Path",
    "Pick",
    "Product",
    "Put",
    "Recurrence",
    "Relation",
    "Stretch",
    "Through",
    "backward",
    "forward",
    "mixed",
    "mixing",
    "paths",
    "widened",
    "without_gates",
]
