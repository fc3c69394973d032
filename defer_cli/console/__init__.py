"""The console: pages that show how functions are doing, from the data that callers get."""
