"""What a Restore does next: save what is replaced, stop what uses it, restore. Pure."""
