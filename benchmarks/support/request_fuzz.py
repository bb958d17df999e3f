"""Random requests to the service, made of valid ones: addresses, queries, headers, JSON bodies, uploads. Each is drawn from a seed."""

import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
from onnx import ModelProto, TensorProto

from benchmarks.support.byte_mutations import BINARY as BINARY_MUTATIONS
from benchmarks.support.byte_mutations import TEXT as TEXT_MUTATIONS
from benchmarks.support.http_client import BINARY, CSV, JSON
from benchmarks.support.onnx_damage import damaged
from benchmarks.support.small_search import SMALL

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE")
UP = (
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%252f",
    "..\\",
    "..%5c",
    "....//",
    "%c0%ae%c0%ae/",
    "..;/",
    "/../",
    "%00../",
)
ODD_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "9" * 30,
    "1e999",
    "null",
    "true",
    "é",
    "名",
    "\u202e",
    "\x00",
    "\x1b[2J",
    "a" * 400,
    "a" * 70_000,
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "%s%n",
    "../../secret.txt",
    "/etc/passwd",
    "file:///etc/passwd",
    "0" * 64,
    "f" * 22,
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 2**31, 2**63, -(2**63), 10**30, 1e308, "", "x" * 1000, "\ud800", [], {}, [[]], [None]),
    *("nnz<=1", "bytes<=-5", "accuracy>=nan", "obd", "mlp+cnn", "rnn", "digits", "embedded-reber", "mnist", "cuda:0"),
    *(
        "/etc/passwd",
        "../outside/secret.csv",
        "0" * 64,
        {"a": {"b": [1, 2]}},
        ["accuracy", "-nnz", "-bytes"],
        float("nan"),
    ),
)
ODD_KEYS = (
    "data_dir",
    "device",
    "table",
    "executor",
    "address",
    "predictor",
    "__class__",
    "",
    "é",
    "uploads",
    "strategy",
    "space_option",
)
NUMBERS = (0, 1, 2, 3, 7, 10, 64, 100, 300, 1000, 65_536, 2**31 - 1, 0.5, 0.01, 1e-9, -1)
TEXTS = (
    *(
        "digits",
        "embedded-reber",
        "mnist",
        "mlp",
        "cnn",
        "rnn",
        "mlp+cnn",
        "auto",
        "onnx",
        "obd",
        "espn",
        "gumbel",
        "static",
        "gradual",
    ),
    *(
        "own",
        "fresh",
        "accuracy",
        "-nnz",
        "-bytes",
        "nnz<=60",
        "params<=5000",
        "bytes<=8000",
        "latency<=1",
        "depth=[1,2]",
    ),
    *(
        "depth=[2,1]",
        "widths=[4]",
        "quick",
        "none",
        "guided",
        "random",
        "evolution",
        "input",
        "output",
        "FP32",
        "x" * 300,
    ),
)
MORE: Mapping[str, Sequence[Any]] = {
    "method": ("obd", "espn", "static", "auto", "magic"),
    "objective": (["accuracy", "-nnz"], ["-bytes"], ["accuracy"] * 2, []),
    "constraint": (["nnz<=1"], ["nnz<=600", "params<=50"], ["bytes<=1e9"], ["latency<=0"], ["nnz<=300"] * 50),
    "strategy": ("random", "evolution", "guided", "nsga3", "local"),
    "predictor": ("none", "quick", "forest", "default"),
    "space": ("cnn", "rnn", "mlp+cnn", "auto", "onnx", "nasbench201"),
    "space_option": (["depth=[1,2]"], ["depth=[0]"], ["widths=[1,1000000]"], ["nothing=1"]),
    "learning_rate": (0.01, 0, 1e9),
    "batch_size": (1, 32, 1 << 20),
    "subset": (20, 60, 1797, 2**31 - 1),
    "timeout": (0, 0.001, 60),
    "confirm": (0, 0.2, 1, 5),
    "target": ("kind", "note", "length", "nothing"),
    "seed": (0, 2**63 - 1),
}
"""Options of a search with values that the form of a request allows."""
HEADERS = (
    "authorization",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "last-event-id",
    "content-type",
    "idempotency-key",
    "host",
    "origin",
    "sec-fetch-site",
    "accept",
    "accept-encoding",
    "cookie",
    "x-forwarded-for",
    "x-forwarded-prefix",
    "x-http-method-override",
    "expect",
    "upgrade",
    "content-encoding",
)
HEADER_VALUES = (
    *(
        "",
        "*",
        "bytes=0-0",
        "bytes=5-2",
        "bytes=-0",
        "bytes=999999999999999999-",
        "bytes=0-1,3-4",
        "lines=1-2",
        '"x"',
        'W/"x"',
    ),
    *(
        "Bearer nas_" + "A" * 43,
        "Bearer",
        "Basic eDp5",
        "999999999",
        "1e3",
        "-1",
        "gzip",
        "text/html",
        "text/csv; charset=\xff",
    ),
    *(
        "application/json; charset=utf-16",
        "evil.example",
        "[::1",
        "http://evil.example",
        "null",
        "cross-site",
        "100-continue",
    ),
    *("websocket", "a" * 8000, "\xe9\xff", "../../secret.txt", "\t"),
)


@dataclass(frozen=True, kw_only=True)
class FuzzedRequest:
    """A request.

    Attributes:
        kind: how it was made.
        method, path, headers, body: the request; `headers` replace those that a client sends by itself.
        raw: bytes to send instead, which may be no HTTP at all.
        then: path of a second request with the same kind, for the file that this one uploads; SHA stands for its hash.
    """

    kind: str
    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bool = False
    then: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What requests can name.

    Attributes:
        operations: method and path template of every operation of the API.
        search, model, dataset: ids of what there is; the data set is that of another owner.
        columns: columns of that data set.
        models: ONNX files to be damaged.
        outside: path of a file outside of the data folder, as a request may try to name it.
    """

    operations: Sequence[tuple[str, str]]
    search: str
    model: str
    dataset: str
    columns: Sequence[str]
    models: Mapping[str, ModelProto]
    outside: str


def request(known: Known, seed: int, number: int) -> FuzzedRequest:
    """The request of that number."""
    rng = random.Random(f"{seed} {number}")
    kinds, weights = list(MAKERS), [weight for _, weight in MAKERS.values()]
    kind = rng.choices(kinds, weights)[0]
    return MAKERS[kind][0](kind, known, rng)


def _filled(path: str, known: Known, rng: random.Random) -> str:
    """A path template with names of what there is; one in four is odd."""
    names = {
        "id": known.search,
        "name": rng.choice(("best.onnx", "report.html", "trials.csv", "link.txt")),
        "number": "0",
    }
    names |= {"sha256": known.dataset if "dataset" in path else known.model}
    for name, value in names.items():
        odd = rng.choice(ODD_TEXTS) if rng.random() < 0.25 else value
        path = path.replace(f"{{{name}}}", quote(odd, safe="/:.", errors="surrogatepass"))
    return path[:60_000]


def _query(rng: random.Random) -> str:
    if rng.random() < 0.4:
        return ""
    names = ("limit", "cursor", "state", "follow", "target", "limit", "x", "")
    values = ("1", "100", "done", "AA", "MA", "X" * 86, *ODD_TEXTS)
    pairs = (f"{rng.choice(names)}={quote(rng.choice(values), safe='')}" for _ in range(rng.randint(1, 3)))
    return "?" + "&".join(pairs)[:8000]


def _address(kind: str, known: Known, rng: random.Random) -> FuzzedRequest:
    """A valid method, names and queries that may be odd."""
    method, path = rng.choice([one for one in known.operations if one[0] == "GET"])
    return FuzzedRequest(kind=kind, method=method, path=_filled(path, known, rng) + _query(rng))


def _method(kind: str, known: Known, rng: random.Random) -> FuzzedRequest:
    """Any method on any address."""
    path = _filled(rng.choice(known.operations)[1], known, rng)
    body = rng.choice((b"", b"{}", b"[]", b"x"))
    return FuzzedRequest(kind=kind, method=rng.choice(METHODS), path=path, headers=JSON if body else {}, body=body)


def _traversal(kind: str, known: Known, rng: random.Random) -> FuzzedRequest:
    """An address that tries to leave the folder."""
    start = rng.choice(
        ("/", "/v1/searches/", f"/v1/searches/{known.search}/artifacts/", "/v1/models/", "/v2/models/", "//")
    )
    goal = rng.choice(
        (known.outside.lstrip("/"), "outside/secret.txt", "service.sqlite3", "etc/passwd", "logs/", "app.py")
    )
    return FuzzedRequest(kind=kind, path=start + rng.choice(UP) * rng.randint(1, 8) + goal)


def _header(kind: str, known: Known, rng: random.Random) -> FuzzedRequest:
    """A valid address, with odd headers."""
    _, path = rng.choice([one for one in known.operations if one[0] == "GET"])
    headers = {rng.choice(HEADERS): rng.choice(HEADER_VALUES) for _ in range(rng.randint(1, 3))}
    whole = path.replace("{id}", known.search).replace("{name}", "best.onnx").replace("{number}", "0")
    return FuzzedRequest(kind=kind, path=whole.replace("{sha256}", known.model), headers=headers)


def _bodies(known: Known) -> dict[str, Any]:
    """A valid body for each operation that takes JSON."""
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.0] * 64}
    search = dict(SMALL) | {"trainings": 1}
    own = {"task": known.dataset, "target": known.columns[0], "trainings": 1, "subset": 60}
    return {
        "/v1/searches": search,
        "/v1/searches ": own,
        "/v1/searches  ": search | {"space": "onnx", "model": known.model},
        f"/v1/searches/{known.search}:resume": {"trainings": 24},
        f"/v1/models/{known.model}:predict": {"task": "digits", "method": "gradual", "nnz": 100, "explain": True},
        f"/v1/models/{known.model}:predict ": {"task": known.dataset, "weights": "own"},
        "/v1/models:predict": {"models": [known.model, "0" * 64], "task": "digits"},
        f"/v2/models/{known.search}/infer": {"inputs": [tensor], "outputs": [{"name": "output"}]},
    }


def _json(kind: str, known: Known, rng: random.Random) -> FuzzedRequest:
    """A body with changed values, or with changed bytes."""
    path, body = rng.choice(list(_bodies(known).items()))
    if path == "/v1/searches" and rng.random() < 0.02:
        path = "/v1/searches:validate"  # it takes seconds
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        body = _changed(body, known, rng)
    if path.startswith("/v1/searches") and isinstance(body, dict) and rng.random() < 0.5:
        option = rng.choice(list(MORE))
        body = body | {option: rng.choice(MORE[option])}
    content = json.dumps(body).encode()
    if rng.random() < 0.3 and content:
        content = rng.choice(list(TEXT_MUTATIONS.values()))(content, rng)
    return FuzzedRequest(kind=kind, method="POST", path=path.strip(), headers=JSON, body=content)


def _changed(value: Any, known: Known, rng: random.Random) -> Any:
    """The value with one part of it changed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.2:
            return value | {rng.choice(ODD_KEYS): rng.choice(ODD_VALUES)}
        if rng.random() < 0.1:
            return {name: one for name, one in value.items() if name != key}
        if key == "target" and rng.random() < 0.7:
            return value | {key: rng.choice(known.columns)}
        return value | {key: _changed(value[key], known, rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], _changed(value[place], known, rng), *value[place + 1 :]]
    return rng.choice(ODD_VALUES) if rng.random() < 0.4 else _alike(value, rng)


def _alike(value: Any, rng: random.Random) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return rng.choice(NUMBERS)
    return rng.choice(TEXTS) if isinstance(value, str) else value


def _model(kind: str, known: Known, rng: random.Random) -> FuzzedRequest:
    """A damaged ONNX file, and a prediction for it if it is accepted."""
    model = rng.choice(list(known.models.values()))
    if rng.random() < 0.1:
        model = _external(model, known, rng)
    content = damaged(model, np.random.default_rng(rng.getrandbits(32)))
    return FuzzedRequest(
        kind=kind, method="POST", path="/v1/models", headers=BINARY, body=content, then="/v1/models/SHA:predict"
    )


def _external(model: ModelProto, known: Known, rng: random.Random) -> ModelProto:
    """The model with a weight whose data is said to be in a file of the server."""
    copy = ModelProto()
    copy.CopyFrom(model)
    if copy.graph.initializer:
        weight = rng.choice(list(copy.graph.initializer))
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        places = (known.outside, "../../outside/secret.txt", "../service.sqlite3", "/proc/self/environ")
        weight.external_data.add(key="location", value=rng.choice(places))
    return copy


def _dataset(kind: str, known: Known, rng: random.Random) -> FuzzedRequest:
    """A damaged table or archive."""
    if rng.random() < 0.5:
        content, headers, mutations = _table(rng), CSV, TEXT_MUTATIONS
        query = f"?target={rng.choice(('kind', 'count', 'nothing', ''))}"
    else:
        content, headers, mutations, query = _archive(rng), BINARY, BINARY_MUTATIONS, ""
    for _ in range(rng.randint(0, 2)):
        content = rng.choice(list(mutations.values()))(content, rng) if content else content
    return FuzzedRequest(kind=kind, method="POST", path=f"/v1/datasets{query}", headers=headers, body=content)


def _table(rng: random.Random) -> bytes:
    rows = [f"{rng.gauss(0, 3):.3f},{rng.randint(0, 9)},{'uvw'[row % 3]}" for row in range(60)]
    return ("\n".join(("length,count,kind", *rows)) + "\n").encode()


def _archive(rng: random.Random) -> bytes:
    content = io.BytesIO()
    x = np.random.default_rng(rng.getrandbits(32)).normal(size=(60, 4)).astype(np.float32)
    (np.savez_compressed if rng.random() < 0.5 else np.savez)(content, x=x, y=np.arange(60) % 3)
    return content.getvalue()


def _bytes(kind: str, known: Known, rng: random.Random) -> FuzzedRequest:
    """The bytes of a valid request, changed; perhaps no HTTP any more."""
    head = rng.choice(
        (
            f"GET /v1/searches/{known.search} HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "POST /v1/searches HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
            "POST /v1/models HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        )
    ).encode()
    for _ in range(rng.randint(1, 3)):
        head = rng.choice(list(BINARY_MUTATIONS.values()))(head, rng) or b"\0"
    return FuzzedRequest(kind=kind, body=head, raw=True)


Maker = Callable[[str, Known, random.Random], FuzzedRequest]
MAKERS: Mapping[str, tuple[Maker, int]] = {
    "addresses": (_address, 15),
    "methods": (_method, 5),
    "paths out of the folder": (_traversal, 10),
    "headers": (_header, 10),
    "JSON bodies": (_json, 25),
    "ONNX files": (_model, 15),
    "data sets": (_dataset, 15),
    "bytes": (_bytes, 5),
}
"""How a request is made, and its weight."""
