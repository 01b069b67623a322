"""The caller of an endpoint whose rights depend on what it asks for, not on its path alone."""

from fastapi import Request

from api.entry.caller import services_of
from rules.token import Token


def identified(request: Request) -> Token:
    """Return the caller's token, whatever it may do.

    Raises: Problem(no_token, bad_token).
    """
    scope = request.scope
    return services_of(request).gate.identify(dict(scope["headers"]), scope["query_string"])
