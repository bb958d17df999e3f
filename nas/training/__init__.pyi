from .mask_only import masked_model as masked_model
from .options import TrainingOptions as TrainingOptions
from .options import TrainingResult as TrainingResult
from .population import train_population as train_population
from .single import evaluate as evaluate
from .single import train as train
from .trained import apply_result as apply_result

__all__ = [
    "TrainingOptions",
    "TrainingResult",
    "apply_result",
    "evaluate",
    "masked_model",
    "train",
    "train_population",
]
