"""Sessions and runs in Redis: the only package that knows keys, scripts and Redis."""
