"""`/v1/sql/{workspace}`: one SELECT over what a workspace has stored."""

from typing import Final

from fastapi import APIRouter, Request, Response

from api.described import answers, extra, json_body
from api.entry.caller import caller, json_of, object_of, params_of, services_of
from api.v1.render import plain
from rules.question import question

router = APIRouter(tags=["data"])

_ASKED: Final = {
    "query": "SELECT symbol, avg(price) AS price FROM quotes WHERE price > :least GROUP BY symbol",
    "parameters": {"least": 10},
}
_ANSWER: Final = {"columns": ["symbol", "price"], "rows": [["ABC", 18.5]], "truncated": False}


@router.post(
    "/v1/sql/{workspace}",
    openapi_extra=extra(
        body=json_body(
            "`query`: one SELECT, in which a dataset goes by its name and `:name` is a parameter; "
            "`parameters`: a text, a number, true, false or null for each of them.",
            _ASKED,
            "QueryGiven",
        )
    ),
    responses=answers(
        200,
        "The rows; `truncated` where there were more than one answer holds.",
        _ANSWER,
        "QueryAnswer",
    ),
)
async def ask(request: Request, workspace: str) -> Response:
    """Answer one SELECT over the datasets of a workspace, in the words of its database.

    A dataset is a view by its name, with its columns, `_id` and `_time`. It needs `read` on the whole
    workspace: a token for one dataset is refused. A query may take 10 s, an answer has 10,000 rows and 16 MB
    at the most; `truncated` says whether rows were left out.
    """
    caller(request, "read", workspace)
    services, params = services_of(request), params_of(request)
    given = object_of(await json_of(request, workspace), "query and parameters")
    asked = question(workspace, given.get("query"), given.get("parameters"))
    return plain(await services.inquiries.ask(asked), "application/json", params.ignored)
