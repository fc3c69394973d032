"""How requests come in: sockets, limits, hosts, the token, and what of the runner they may ask."""
