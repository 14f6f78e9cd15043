"""What runs inside backup, drill and restore Jobs; it and the operator never import each other."""
