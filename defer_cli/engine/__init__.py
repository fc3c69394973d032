"""What makes executions run: the dispatcher, crons, the alarm, rescue and reload."""
