"""All traffic with the API server, and the cache of what it said."""
