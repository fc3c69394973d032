"""Between processes: frames, sockets, the inbox, and where a project's data folder is."""
