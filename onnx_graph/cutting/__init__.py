"""Making graphs smaller: dead units, constant branches and last layers are removed."""
