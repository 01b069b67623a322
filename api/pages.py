"""The documentation as pages: what can be asked for, what can go wrong. No script, nothing from outside."""

import json
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

from rules.errors import Code

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { border-bottom: 1px solid #8888; margin-top: 2.5rem; }
summary { cursor: pointer; padding: .3rem 0; }
summary code { font-weight: 600; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: #8881; padding: .7rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #8884; padding: .3rem .6rem; text-align: left; vertical-align: top; }
details > div { margin: 0 0 1rem 1rem; }
@media (prefers-color-scheme: dark) { body { background: #16181d; color: #e6e6e6; } a { color: #8ab4f8; } }
"""


def operations_page(document: dict[str, Any]) -> str:
    """Return a page that lists the operations of an OpenAPI document by their tags."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append("".join(_operation(method, path, operation)))
    info = document["info"]
    links = " · ".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in sorted(by_tag))
    body = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info.get('description', ''))}</p>",
        '<p><a href="/openapi.json">The document</a> · <a href="/docs/errors">Errors</a></p>',
        f"<p>{links}</p>",
    ]
    for tag, shown in sorted(by_tag.items()):
        body += [f'<h2 id="{escape(tag)}">{escape(tag)}</h2>', *shown]
    return _page(info["title"], body)


def errors_page(codes: Iterable[Code]) -> str:
    """Return a page that lists every error code."""
    rows = [
        f'<tr id="{escape(code.name)}"><td><code>{escape(code.name)}</code></td><td>{code.status}</td>'
        f"<td>{escape(code.sentence)}</td><td>{'yes' if code.retriable else 'no'}</td></tr>"
        for code in sorted(codes, key=lambda code: (code.status, code.name))
    ]
    body = [
        "<h1>Errors</h1>",
        "<p>Every error has a code that stays the same. Where it says “again”, the same request may succeed "
        "later without being changed.</p>",
        "<table><tr><th>code</th><th>status</th><th>what happened</th><th>again</th></tr>",
        *rows,
        "</table>",
    ]
    return _page("Errors", body)


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    about = operation.get("description") or operation.get("summary", "")
    yield f"<details><summary><code>{method.upper()} {escape(path)}</code> "
    yield f"{escape(operation.get('summary', ''))}</summary><div><p>{escape(about)}</p>"
    parameters = operation.get("parameters", [])
    if parameters:
        yield "<table><tr><th>parameter</th><th>in</th><th>what</th></tr>"
        for parameter in parameters:
            yield f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
            yield f"<td>{escape(_meaning(parameter))}</td></tr>"
        yield "</table>"
    yield from _contents("Body", operation.get("requestBody", {}))
    for status, answer in sorted(operation.get("responses", {}).items()):
        yield from _contents(status, answer)
    yield "</div></details>"


def _meaning(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    words = [parameter.get("description", "")]
    if "enum" in schema:
        words.append(f"One of {', '.join(map(str, schema['enum']))}.")
    if "minimum" in schema and "maximum" in schema:
        words.append(f"{schema['minimum']:g} to {schema['maximum']:g}.")
    if "default" in schema:
        words.append(f"Unless given: {json.dumps(schema['default'])}.")
    return " ".join(word for word in words if word)


def _contents(name: str, described: dict[str, Any]) -> Iterator[str]:
    if not described.get("description") and not described.get("content"):
        return
    yield f"<p><b>{escape(name)}</b> {escape(described.get('description', ''))}</p>"
    for kind, content in described.get("content", {}).items():
        if "example" in content:
            example = content["example"]
            text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
            yield f"<p><code>{escape(kind)}</code></p><pre>{escape(text)}</pre>"


def _page(title: str, body: Iterable[str]) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>"
    )
