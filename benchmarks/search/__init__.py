"""What a search finds, beside what other ways of spending the same trainings find."""
