"""The OpenAPI document, and requests made from it: no server error, no answer that the document does not describe."""

import io
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

BOUNDED = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SKIPPED = ("resume_search", "validate_search")
"""They begin long work; other tests send them."""


@pytest.fixture(scope="module")
def ready(serve_all, tmp_path_factory, tiny, onnx_file):
    """A server that runs no search, on data with a search that is done, a model and a data set."""
    data = tmp_path_factory.mktemp("service") / "data"
    first = serve_all(data)
    id_ = first.client.post("/v1/searches", json=tiny).json()["id"]
    binary = {"content-type": "application/octet-stream"}
    model = first.client.post("/v1/models", content=onnx_file.read_bytes(), headers=binary).json()["sha256"]
    table = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(40))
    dataset = first.client.post("/v1/datasets?target=b", content=table, headers={"content-type": "text/csv"}).json()
    assert first.wait(id_)["state"] == "done"
    first.end()
    server = serve_all(data, "--searches", "0", "--queue", "2")
    server.known = {"id": id_, "models": model, "datasets": dataset["sha256"], "name": "best.onnx", "number": 0}
    return server


@pytest.fixture(scope="module")
def api(ready):
    """The document of that server."""
    return schemathesis.openapi.from_url(f"{ready.address}/openapi.json")


@pytest.mark.takes(60, "sends hundreds of requests")
def test_no_request_is_answered_by_an_error_or_against_the_document(api, ready):
    from schemathesis.checks import positive_data_acceptance
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi.checks import ignored_auth, missing_required_header

    # What a request asks for can be impossible, such as an unknown task: that is 422. Loopback needs no token.
    excluded = [positive_data_acceptance, ignored_auth, missing_required_header]
    sent, faults = [], []
    for result in api.get_all_operations():
        operation = result.ok()
        if operation.definition.raw["operationId"] in SKIPPED:
            continue
        for mode in GenerationMode:
            positive = mode is GenerationMode.POSITIVE

            def send(case, positive=positive):
                if positive:
                    case.path_parameters = known(case, ready)
                sent.append(case.call_and_validate(excluded_checks=excluded, timeout=120).status_code)

            try:
                tried(send, operation.as_strategy(generation_mode=mode))
            except Unsatisfiable:  # an operation without input has no wrong input
                continue
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  all faults are shown together
                faults.append(f"{operation.label}, {mode}: {type(error).__name__}: {error}")
    assert not faults, "\n\n".join(faults)
    assert len(sent) > 300
    assert {200, 404, 422} <= set(sent)


def tried(send, cases):
    """Send a bounded number of cases."""

    @BOUNDED
    @given(case=cases)
    def each(case):
        send(case)

    each()


def known(case, ready):
    """The names in the address, replaced by those of what there is."""
    places = dict(case.path_parameters or {})
    if "cancel" in case.path or case.method.upper() == "DELETE":
        return places
    kind = "models" if "models" in case.path else "datasets"
    return places | {name: ready.known[kind if name == "sha256" else name] for name in places}


def test_the_document_is_complete(ready):
    document = ready.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    ids = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(ids) == len(set(ids)) > 30
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["summary"], path
            assert operation["description"], path
            assert {"403", "500", "503"} <= set(operation["responses"]), path
            for place in operation.get("parameters", []):
                assert "schema" in place
            bodies = operation.get("requestBody", {}).get("content", {})
            for kind, body in bodies.items():
                if kind == "application/json":
                    assert _has_example(document, body["schema"]), path


def _has_example(document, body) -> bool:
    for one in (body, *body.get("anyOf", [])):
        name = one.get("$ref", "").rpartition("/")[2]
        if one.get("examples") or document["components"]["schemas"].get(name, {}).get("examples"):
            return True
    return False


@settings(BOUNDED, max_examples=40)
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=60).map(lambda tail: b"\x08\x0a\x3a" + tail),
        st.text(max_size=200).map(str.encode),
    )
)
@pytest.mark.takes(30, "uploads files")
def test_no_upload_ends_the_server(ready, content):
    for address, kind in (("models", "application/octet-stream"), ("datasets?target=b", "text/csv")):
        answer = ready.client.post(f"/v1/{address}", content=content, headers={"content-type": kind})
        assert answer.status_code in (200, 201, 409, 422), answer.text
        assert str(ready.data) not in answer.text


@settings(BOUNDED, max_examples=25)
@given(
    names=st.lists(st.sampled_from(["x.npy", "y.npy", "../x.npy", "/etc/x"]), max_size=3),
    content=st.binary(max_size=80),
)
def test_no_archive_ends_the_server_or_leaves_its_folder(ready, names, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in dict.fromkeys(names):
            archive.writestr(name, content)
    headers = {"content-type": "application/octet-stream"}
    answer = ready.client.post("/v1/datasets", content=file.getvalue(), headers=headers)
    assert answer.status_code == 422, answer.text
    assert list((ready.data / "uploads").iterdir()) == []


@settings(BOUNDED, max_examples=25)
@given(position=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_no_damaged_model_ends_the_server(ready, onnx_file, position, byte):
    content = bytearray(onnx_file.read_bytes())
    content[position % len(content)] = byte
    answer = ready.client.post(
        "/v1/models", content=bytes(content), headers={"content-type": "application/octet-stream"}
    )
    assert answer.status_code in (200, 201, 422), answer.text
    if answer.status_code < 300:
        asked = ready.client.post(f"/v1/models/{answer.json()['sha256']}:predict", json={"task": "digits"})
        assert asked.status_code in (200, 422), asked.text
