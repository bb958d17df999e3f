"""The papers' own claims, one function each."""
