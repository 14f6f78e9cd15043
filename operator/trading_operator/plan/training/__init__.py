"""What is planned for a ModelTrainingJob: runs, gates, promotion, the way back."""
