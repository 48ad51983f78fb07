"""What the API takes and answers, as pydantic models.

`/openapi.json` is made from these. Nothing is validated against the responses' models while
requests are answered, which would cost more than the network takes; the tests hold every response
to them.
"""
