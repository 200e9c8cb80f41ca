"""The API, method by method, over HTTP: what another program imports."""
