"""Raw CAN to values: databases read, compiled, and frames decoded. Usable without the rest of the project."""
