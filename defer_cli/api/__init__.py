"""The HTTP API: what `@defer/client` speaks, and a little beyond it. Handlers only translate."""
