"""The folder that everything kept lies under: who holds it, its version, backups."""
