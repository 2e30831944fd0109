"""From text files to lanes of ids."""
