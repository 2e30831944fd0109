"""A page that holds a model: its HTML, CSS and JavaScript, and what puts them together."""
