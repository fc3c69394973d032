"""The rules of defer, pure: clock and dice come in as arguments, nothing here does I/O."""
