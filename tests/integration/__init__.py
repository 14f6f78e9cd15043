"""The operator as a real process against a real control plane with fake nodes."""
