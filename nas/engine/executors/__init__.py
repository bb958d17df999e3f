"""Executors: where the trainings of a round run. The driver alone plans and records; a lost worker costs time only."""
