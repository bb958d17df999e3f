from .errors import PredictorError as PredictorError
from .features.encoder import encode as encode
from .library.batch import encode_all as encode_all
from .library.batch import encode_each as encode_each
from .library.fitted import FittedPredictor as FittedPredictor
from .library.fitting import fit as fit
from .library.loading import create as create
from .library.loading import load as load
from .library.persistence import save as save
from .predictor import Prediction as Prediction
from .predictor import Predictor as Predictor
from .registry import PREDICTORS as PREDICTORS
from .structure_graph import StructureGraph as StructureGraph
from .task_description import TaskDescription as TaskDescription

__all__ = [
    "FittedPredictor",
    "PREDICTORS",
    "Prediction",
    "Predictor",
    "PredictorError",
    "StructureGraph",
    "TaskDescription",
    "create",
    "encode",
    "encode_all",
    "encode_each",
    "fit",
    "load",
    "save",
]
