"""The web page: shows the API a picture and tells a person what it answers."""
