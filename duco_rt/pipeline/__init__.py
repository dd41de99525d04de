"""From hub messages to stored and live samples."""
