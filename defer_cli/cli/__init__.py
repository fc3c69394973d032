"""The command line: one module a command; typer and rich live only here."""
