"""How fast defer is, beside the limits of this machine in the same run; `make bench` prints the table."""
