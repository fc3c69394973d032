"""What `defer export` writes, from a project's settings and the templates beside this file."""
