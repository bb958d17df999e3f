"""How well structure tells accuracy."""
