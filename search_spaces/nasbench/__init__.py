"""The cells of NAS-Bench-201 and NAS-Bench-101 as search spaces: dense networks that are chains of one cell."""
