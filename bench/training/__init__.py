"""How much a ModelTrainingJob costs beside a bare Job, and how fast a bad model goes back."""
