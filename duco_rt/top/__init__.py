"""The live view of a running process in a terminal."""
