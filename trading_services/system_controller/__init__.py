"""The system controller: the schema, the other components' states, the market's sessions."""
