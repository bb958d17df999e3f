"""How well structure predicts accuracy."""
