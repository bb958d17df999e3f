"""``/docs``: the operations as a plain page. It needs no script and nothing from the network."""

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """A list of all operations."""
    return HTMLResponse(page(request.app.openapi()))


def page(document: dict[str, Any]) -> str:
    """The document as HTML."""
    rows = [
        f"<tr><td>{escape(method.upper())}</td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation.get('summary', ''))}</td><td>{escape(operation.get('description', ''))}</td></tr>"
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="icon.svg" type="image/svg+xml"><link rel="stylesheet" href="style.css">'
        f"<title>{escape(info['title'])}: operations</title></head><body><main><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        '<p>All requests, answers and examples are in <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
        f'<div class="scroll operations" tabindex="0" role="region" aria-label="operations"><table><thead><tr><th>method</th><th>path</th>'
        f"<th>what</th><th>more</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div></main></body></html>"
    )
