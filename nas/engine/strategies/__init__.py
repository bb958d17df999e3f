"""Search strategies: how candidates are proposed."""

from nas.engine.strategies.strategy import STRATEGIES, Strategy, create

__all__ = ["STRATEGIES", "Strategy", "create"]
