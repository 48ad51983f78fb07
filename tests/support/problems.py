"""What the API answers errors with."""


def kind_of(response):
    assert response.mimetype == "application/problem+json"
    return response.json["type"].rpartition(":")[2]
