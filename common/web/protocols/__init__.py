"""The HTTP and WebSocket protocols of uvicorn, with bounds on what a client may hold up."""
