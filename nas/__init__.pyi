from . import errors as errors
from . import optuna as optuna
from .client.client import Client as Client
from .corpus.corpus import Corpus as Corpus
from .exporters.export_format import ExportFormat as ExportFormat
from .exporters.onnx_export import Exported as Exported
from .exporters.onnx_export import export as export
from .losses.loss import Loss as Loss
from .measure.costs.cost import Cost as Cost
from .metrics.metric import Answers as Answers
from .metrics.metric import Metric as Metric
from .study.config import SearchConfig as SearchConfig
from .study.trial import Proposal as Proposal
from .tasks.registry import load_task as load_task
from .tasks.task import Normalisation as Normalisation
from .tasks.task import Split as Split
from .tasks.task import Task as Task
from .torch_export.torch_module import from_torch as from_torch
from .training.mask_only import masked_model as masked_model
from .training.methods.method import Method as Method
from .training.methods.registry import method as method
from .training.options import TrainingOptions as TrainingOptions
from .training.options import TrainingResult as TrainingResult
from .training.population import train_population as train_population
from .training.single import evaluate as evaluate
from .training.single import train as train
from .training.trained import apply_result as apply_result
from .verbs.search import resume as resume
from .verbs.search import search as search

__version__: str

__all__ = [
    "Answers",
    "Client",
    "Corpus",
    "Cost",
    "ExportFormat",
    "Exported",
    "Loss",
    "Method",
    "Metric",
    "Normalisation",
    "Proposal",
    "SearchConfig",
    "Split",
    "Task",
    "TrainingOptions",
    "TrainingResult",
    "__version__",
    "apply_result",
    "errors",
    "evaluate",
    "export",
    "from_torch",
    "load_task",
    "masked_model",
    "method",
    "optuna",
    "resume",
    "search",
    "train",
    "train_population",
]
