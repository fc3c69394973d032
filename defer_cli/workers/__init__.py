"""The processes that run user code, and the runner's side of them."""
