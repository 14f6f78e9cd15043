"""How a change goes forward, how it is watched, and when it goes back. Pure."""
