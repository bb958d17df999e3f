"""The Open Inference Protocol (v2): the winners of searches, run by onnxruntime. The name of a model is the id of its search."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from nas import __version__
from nas.service.api.searches import Id, known_search
from nas.service.json_numbers import Real, Whole
from nas.service.problems import not_found
from nas.service.security.access import Reader
from nas.service.service import Service, service_of

router = APIRouter(prefix="/v2", tags=["inference"])

MOST_NUMBERS = 1 << 20
TensorName = Annotated[str, Field(strict=True, min_length=1, max_length=300)]


class ServerFacts(BaseModel):
    """Name and version of the server."""

    name: str
    version: str
    extensions: list[str]


class TensorFacts(BaseModel):
    """Name, data type and shape of a tensor; -1 is a size that may be any."""

    name: str
    datatype: str = Field(examples=["FP32"])
    shape: list[int]


class ModelFacts(BaseModel):
    """Inputs and outputs of a model."""

    name: str
    versions: list[str]
    platform: str = Field(examples=["onnx_onnxv1"])
    inputs: list[TensorFacts]
    outputs: list[TensorFacts]


class ModelReady(BaseModel):
    """Whether the model can be asked."""

    name: str
    ready: bool


class InputTensor(BaseModel):
    """One input: the numbers in row-major order, flat or nested."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    name: TensorName
    datatype: Literal["FP32"]
    shape: Annotated[list[Annotated[Whole, Field(ge=1, le=1 << 20)]], Field(min_length=1, max_length=8)]
    data: Annotated[list[Real | list[Any]], Field(max_length=MOST_NUMBERS)]


class OutputName(BaseModel):
    """An output that the caller wants."""

    model_config = ConfigDict(extra="ignore")

    name: TensorName


class InferenceRequest(BaseModel):
    """Inputs of a model."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [{"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.0] * 64}]}]
        },
    )

    id: Annotated[str, Field(strict=True, max_length=200)] | None = None
    parameters: dict[str, str | StrictInt | StrictFloat | StrictBool] | None = None
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=16)]
    outputs: Annotated[list[OutputName], Field(max_length=64)] | None = None


class OutputTensor(BaseModel):
    """One output: the numbers in row-major order; null stands for a number that is not finite."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float | None]


class InferenceAnswer(BaseModel):
    """Outputs of a model."""

    model_name: str
    id: str | None = None
    outputs: list[OutputTensor]


@router.get("", summary="Show the server", operation_id="inference_server")
def server(caller: Reader) -> ServerFacts:
    """Name and version."""
    return ServerFacts(name="nas", version=__version__, extensions=[])


@router.get("/models/{id:search}", summary="Show the winner of a search", operation_id="inference_model")
def model(request: Request, caller: Reader, id: Id) -> ModelFacts:
    """Its inputs and outputs."""
    service = service_of(request)
    facts = service.pool.call("session_facts", file=_winner(service, id))
    return ModelFacts(name=id, versions=["1"], platform="onnx_onnxv1", **facts)


@router.get("/models/{id:search}/ready", summary="Can the winner of a search be asked?", operation_id="inference_ready")
def ready(request: Request, caller: Reader, id: Id) -> ModelReady:
    """True as soon as the search has written its winner."""
    service = service_of(request)
    known_search(service, id)
    return ModelReady(name=id, ready=service.folder.artifact(id, "best.onnx").is_file())


@router.post("/models/{id:search}/infer", summary="Ask the winner of a search", operation_id="infer")
def infer(request: Request, caller: Reader, id: Id, body: InferenceRequest) -> InferenceAnswer:
    """The outputs for these inputs."""
    service = service_of(request)
    outputs = None if not body.outputs else [one.name for one in body.outputs]
    inputs = [one.model_dump() for one in body.inputs]
    found = service.pool.call("infer", file=_winner(service, id), inputs=inputs, outputs=outputs)
    return InferenceAnswer(model_name=id, id=body.id, **found)


def _winner(service: Service, id_: str) -> str:
    known_search(service, id_)
    path = service.folder.artifact(id_, "best.onnx")
    if not path.is_file():
        raise not_found(f"winner of search {id_} (yet)")
    return str(path)
