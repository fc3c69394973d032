"""`make bench-peers`: the workloads that other runners can do, run by them and by defer, side by side."""
