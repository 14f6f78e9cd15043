"""Hypothesis without deadlines: a shared, busy machine says nothing about the code."""

from hypothesis import settings

settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")
