"""What is said about the live objects: status and events. Pure."""
