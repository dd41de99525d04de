"""What an operator sees: metrics, delays, the log, the state of the process itself."""
