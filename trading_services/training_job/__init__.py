"""The program in the Jobs of ModelTrainingJobs: trains, proves out of sample, registers."""
