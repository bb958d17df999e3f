"""Files of models: read within limits, checked, written durably."""
