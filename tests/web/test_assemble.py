from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources

from charlstm.web.assemble import assembled, program


def test_the_policy_allows_the_pages_own_script_and_style_alone() -> None:
    html = assembled("A <title> & more", {"text": "</script><!--\u2028"}, "AAAA")
    policy = re.search('content="(default-src[^"]*)"', html)
    assert policy
    script = re.search('<script id="program">(.*)</script>', html, re.DOTALL)
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)
    assert script
    assert style
    hashes = [base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode() for found in (script, style)]
    assert policy[1] == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}';"
        " worker-src blob:; base-uri 'none'; form-action 'none'"
    )
    assert "A &lt;title&gt; &amp; more" in html


def test_data_is_data_whatever_is_in_it() -> None:
    told = {"text": "</script><script>alert(1)</script><!-- \u2028 \ud800 @data@"}
    html = assembled("title", told, "AAAA")
    data = re.search('<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data
    assert json.loads(data[1]) == told
    assert html.count("<script") == 3


def test_nothing_is_fetched() -> None:
    html = assembled("title", {}, "AAAA")
    assert not re.search(r"\b(src|href)=[\"']?(?!#)", html)
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in html


def test_the_program_is_the_files_without_their_comments() -> None:
    script = program()
    assert not re.search(r"^ *(//|/\*|\*)", script, re.MULTILINE)
    for name in ("cells.js", "worker.js"):
        code = [line for line in resources.files("charlstm.web").joinpath(name).read_text("utf-8").splitlines() if line]
        kept = [line for line in code if not re.match(r" *(//|/\*|\*|import )", line)]
        assert all(line.removeprefix("export ") in script for line in kept)
