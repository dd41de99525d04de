"""Studio and MetaAPI: the HTTP and WebSocket side."""
