from .calibration.ranking import attainable_tau as attainable_tau
from .calibration.ranking import kendall as kendall
from .calibration.ranking import kendall_inside as kendall_inside
from .calibration.ranking import spearman as spearman
from .errors import InvalidMasksError as InvalidMasksError
from .errors import InvalidOriginError as InvalidOriginError
from .errors import InvalidTaskError as InvalidTaskError
from .errors import PredictorError as PredictorError
from .features.encoder import GRAPH_FEATURES as GRAPH_FEATURES
from .features.encoder import encode as encode
from .features.encoder import encode_masks as encode_masks
from .features.screen import screen as screen
from .library.accuracy_table import evaluate_table as evaluate_table
from .library.accuracy_table import fit_table as fit_table
from .library.batch import encode_all as encode_all
from .library.batch import encode_each as encode_each
from .library.estimator import StructureRegressor as StructureRegressor
from .library.explanation import Explanation as Explanation
from .library.fitted import FittedPredictor as FittedPredictor
from .library.fitting import fit as fit
from .library.loading import create as create
from .library.loading import load as load
from .library.pace import Evaluating as Evaluating
from .library.persistence import Json as Json
from .library.persistence import require_free as require_free
from .library.persistence import save as save
from .models.boosted import BoostedOptions as BoostedOptions
from .models.ensemble import EnsembleOptions as EnsembleOptions
from .models.ensemble import EnsemblePredictor as EnsemblePredictor
from .models.forest import ForestOptions as ForestOptions
from .models.gaussian_process import GaussianProcessOptions as GaussianProcessOptions
from .models.gnn.gnn import GNNOptions as GNNOptions
from .models.latency import LatencyPredictor as LatencyPredictor
from .models.origins import OriginsPredictor as OriginsPredictor
from .origin import Origin as Origin
from .predictor import Prediction as Prediction
from .predictor import Predictor as Predictor
from .predictor import largest_std as largest_std
from .registry import COST_PREDICTORS as COST_PREDICTORS
from .registry import PREDICTORS as PREDICTORS
from .registry import needs_task as needs_task
from .structure_graph import StructureGraph as StructureGraph
from .task_description import TaskDescription as TaskDescription

__all__ = [
    "BoostedOptions",
    "COST_PREDICTORS",
    "EnsembleOptions",
    "EnsemblePredictor",
    "Evaluating",
    "Explanation",
    "FittedPredictor",
    "ForestOptions",
    "GNNOptions",
    "GRAPH_FEATURES",
    "GaussianProcessOptions",
    "InvalidMasksError",
    "InvalidOriginError",
    "InvalidTaskError",
    "Json",
    "LatencyPredictor",
    "Origin",
    "OriginsPredictor",
    "PREDICTORS",
    "Prediction",
    "Predictor",
    "PredictorError",
    "StructureGraph",
    "StructureRegressor",
    "TaskDescription",
    "attainable_tau",
    "create",
    "encode",
    "encode_all",
    "encode_masks",
    "evaluate_table",
    "encode_each",
    "fit",
    "fit_table",
    "kendall",
    "kendall_inside",
    "largest_std",
    "load",
    "needs_task",
    "require_free",
    "save",
    "screen",
    "spearman",
]
