"""The web page: shows the API images and tells a person what it answers."""
