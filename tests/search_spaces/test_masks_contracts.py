"""Every registered distribution, pattern and mask edit keeps its contract."""

import pytest

from search_spaces.candidate import MaskEdit
from search_spaces.masks import edits, recipe
from search_spaces.masks.testing import DistributionContract, EditContract, PatternContract

EXAMPLES = {
    "rewire": {"fraction": 0.2},
    "move-density": {"source": "conv", "target": "gru", "fraction": 0.2},
    "swap-rows": {"layer": "dense", "count": 2},
    "swap-columns": {"layer": "dense", "count": 2},
}


class TestDistributions(DistributionContract):
    @pytest.fixture(params=recipe.DISTRIBUTIONS.names())
    def distribution(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)


class TestPatterns(PatternContract):
    @pytest.fixture(params=recipe.PATTERNS.names())
    def pattern(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)


class TestEdits(EditContract):
    @pytest.fixture(params=list(edits.EDITS))
    def edit(self, request: pytest.FixtureRequest) -> MaskEdit:
        return MaskEdit(operator=request.param, arguments=EXAMPLES[request.param], seed=2)
