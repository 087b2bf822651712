"""Powertools still has the private attributes that the API uses; they can change with any upgrade.

If a test fails after an upgrade, adapt ``service/api/bodies.py`` or ``service/api/faults.py`` to the new version.
"""

from __future__ import annotations

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import OpenAPIRequestValidationMiddleware

from anemonefish.service.api import bodies
from tests.fakes.api_requests import answer_to


def test_validation_middleware_is_an_attribute_of_the_application() -> None:
    app = APIGatewayRestResolver(enable_validation=True)
    assert isinstance(app._request_validation_middleware, OpenAPIRequestValidationMiddleware)
    bodies.install(app)
    assert isinstance(app._request_validation_middleware, bodies._JsonBodies)


def test_validation_middleware_reads_the_body_by_one_method() -> None:
    assert callable(OpenAPIRequestValidationMiddleware._get_body)
    status, answer, _ = answer_to(path="/numbers", body='{"numbers": [1], "numbers": [2]}')
    assert status == 400
    assert "twice in one object" in answer["message"]  # the message of bodies.read_json


def test_routes_are_listed_with_their_method_and_pattern() -> None:
    app = APIGatewayRestResolver()

    @app.get("/fixed")
    def fixed() -> None: ...

    @app.delete("/variable/<name>")
    def variable(name: str) -> None: ...

    assert [(route.method, bool(route.rule.match("/fixed"))) for route in app._static_routes] == [("GET", True)]
    assert [(route.method, bool(route.rule.match("/variable/a"))) for route in app._dynamic_routes] == [
        ("DELETE", True)
    ]
