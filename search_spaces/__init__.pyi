from .candidate import LONGEST as LONGEST
from .candidate import Candidate as Candidate
from .candidate import InheritedMask as InheritedMask
from .candidate import Json as Json
from .candidate import LearnedMask as LearnedMask
from .candidate import MaskEdit as MaskEdit
from .candidate import MaskRecipe as MaskRecipe
from .errors import InvalidCandidateError as InvalidCandidateError
from .errors import InvalidOptionError as InvalidOptionError
from .errors import InvalidPluginError as InvalidPluginError
from .errors import SpaceError as SpaceError
from .errors import UnknownNameError as UnknownNameError
from .genes import InheritedTrial as InheritedTrial
from .genes import RecordedTrial as RecordedTrial
from .masked_space import MaskedSpace as MaskedSpace
from .nasbench.network101 import nasbench101_network as nasbench101_network
from .nasbench.network201 import nasbench201_network as nasbench201_network
from .network_builder import NetworkBuilder as NetworkBuilder
from .options import SpaceOptions as SpaceOptions
from .registry import SPACES as SPACES
from .registry import create as create
from .registry import suited as suited
from .signature import Signature as Signature
from .space import SearchSpace as SearchSpace
from .space import TabularSpace as TabularSpace
from .space import TrialLike as TrialLike
from .space import has_masks as has_masks
from .ticket import Ticket as Ticket

__all__ = [
    "LONGEST",
    "Candidate",
    "InheritedMask",
    "InheritedTrial",
    "InvalidCandidateError",
    "InvalidOptionError",
    "InvalidPluginError",
    "Json",
    "LearnedMask",
    "MaskEdit",
    "MaskRecipe",
    "MaskedSpace",
    "NetworkBuilder",
    "RecordedTrial",
    "SPACES",
    "SearchSpace",
    "Signature",
    "SpaceError",
    "SpaceOptions",
    "TabularSpace",
    "Ticket",
    "TrialLike",
    "UnknownNameError",
    "create",
    "has_masks",
    "nasbench101_network",
    "nasbench201_network",
    "suited",
]
