"""The DUCO App: what runs on the machine."""
