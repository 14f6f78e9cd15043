"""What a Backup needs: the Jobs, their files, the repository, and when they run. Pure."""
