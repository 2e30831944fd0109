"""One HTML file from the small files of this folder, and from what a page holds."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib import resources
from typing import Any

STYLE, TEMPLATE, MAIN = "style.css", "page.html", "main.js"

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([\w.]+)";\n', re.MULTILINE)
_COMMENT = re.compile(r"^ *(//|/\*\*|\*[ /]|\*$).*\n", re.MULTILINE)
"""A line that is nothing but a comment."""

_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) (\w+))", re.MULTILINE)


def assembled(title: str, data: dict[str, Any], weights: str) -> str:
    """The whole page.

    The browser runs the page's own script and style, whose hashes stand in its policy, and nothing else; and it asks
    nothing of any network. All that comes from a checkpoint or a text is in the title or in JSON, where no character
    ends the element: it is data, and never markup.

    Args:
        data: what the page shows, to become JSON.
        weights: base64.
    """
    style, script = _file(STYLE), program()
    parts = {
        "policy": _policy(style, script),
        "title": html.escape(title),
        "style": style,
        "data": json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "weights": weights,
        "program": script,
    }
    return re.sub("@(\\w+)@", lambda found: parts[found[1]], _file(TEMPLATE))


def _policy(style: str, script: str) -> str:
    """What the browser may do: see https://www.w3.org/TR/CSP3/."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; worker-src blob:;"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def program() -> str:
    """All modules in one script: each is a function's body, which returns what the module exports.

    So the files stay modules, that can be read and tested one by one, and the page needs no loader.
    """
    order: list[str] = []
    _visit(MAIN, order)
    modules = "\n".join(_wrapped(name) for name in order)
    return f'"use strict";\nconst modules = {{}};\n{modules}\n'


def _visit(name: str, order: list[str], above: tuple[str, ...] = ()) -> None:
    """Add a module to the order, after those that it imports."""
    assert name not in above, f"{name} imports itself"
    if name in order:
        return
    for _, other in _IMPORT.findall(_file(name)):
        _visit(other, order, (*above, name))
    order.append(name)


def _wrapped(name: str) -> str:
    source = _COMMENT.sub("", _file(name))  # the files have them, for readers; a page is to be small
    body = _IMPORT.sub(lambda found: f'const {found[1].replace(" as ", ": ")} = modules["{found[2]}"];\n', source)
    exports = ", ".join(_EXPORT.findall(body))
    return f'modules["{name}"] = (() => {{\n{_EXPORT.sub("", body)}return {{ {exports} }};\n}})();'


def _file(name: str) -> str:
    return resources.files("charlstm.web").joinpath(name).read_text("utf-8")
