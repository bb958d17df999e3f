from .predictor_sampler import PredictorSampler as PredictorSampler
from .trial_space import TrialSpace as TrialSpace

__all__ = ["PredictorSampler", "TrialSpace"]
