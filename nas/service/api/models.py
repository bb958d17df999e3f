"""``/v1/models``: upload ONNX files and predict their accuracy."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from starlette.concurrency import run_in_threadpool

from nas.service.api.kept_uploads import (
    BINARY,
    IN_USE,
    Cursor,
    Family,
    FileName,
    Limit,
    Sha,
    UploadResource,
    require_type,
    store,
)
from nas.service.data_folder import SHA256
from nas.service.json_numbers import Real, Whole
from nas.service.predictions import DATASET
from nas.service.problems import Problem
from nas.service.security.access import Reader, Runner
from nas.service.service import Service, service_of
from nas.service.store.upload_store import MODEL, StoredUpload, find_upload, new_upload
from nas.service.uploads import Received

router = APIRouter(prefix="/v1", tags=["models"])

FAMILY = Family((MODEL,), "model", "/v1/models")
BATCH = 256
"""Most models of a batch."""
Name = Annotated[str, Field(strict=True, min_length=1, max_length=300)]
Share = Annotated[Real, Field(ge=0, le=1)]


class ModelResource(UploadResource):
    """An uploaded ONNX file."""

    facts: dict[str, Any] = Field(description="inputs, outputs, weights, nnz, params, macs")


class ModelPage(BaseModel):
    """One page of models."""

    items: list[ModelResource]
    next: str | None


class TaskFacts(BaseModel):
    """The description of a task that the predictor does not know; `nas predictor describe` prints one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    samples: Annotated[Whole, Field(ge=1, le=10**9)]
    classes: Annotated[Whole, Field(ge=1, le=10**6)]
    inputs: Annotated[Whole, Field(ge=1, le=10**8)]
    one_nn: Share = Field(description="accuracy of the nearest neighbour")
    linear_probe: Share = Field(description="accuracy of a linear classifier")
    relevance: Annotated[list[Real], Field(max_length=100_000)] | None = Field(
        None, description="one number for every input"
    )


class Question(BaseModel):
    """What to predict."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"task": "digits"}]})

    task: Name | TaskFacts | None = Field(
        None,
        description="name of a task that the predictor knows, sha256 of an uploaded data set, or a description; without it, "
        "every known task that the network fits",
    )
    method: Name | None = Field(None, description="the mask method that pruned the network, see `GET /v1/methods`")
    nnz: Annotated[Whole, Field(ge=1, le=10**9)] | None = Field(
        None, description="the network is still dense: what `method` would reach if it kept so many weights"
    )
    weights: Literal["own", "fresh"] | None = Field(
        None,
        description="with the weights that the method left (`own`), or with weights trained again from a fresh start (`fresh`); "
        "without it, `fresh` is answered, and `own` stands in `others`",
    )
    explain: StrictBool = Field(False, description="which layers and features moved the prediction")


class BatchQuestion(Question):
    """What to predict, for several models."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"models": ["ab" * 32], "task": "digits"}]}
    )

    models: Annotated[list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]], Field(min_length=1, max_length=BATCH)]


class PredictionShown(BaseModel):
    """A prediction for one task."""

    task: str | None
    accuracy: float = Field(description="predicted accuracy")
    std: float = Field(description="its standard deviation")
    interval: list[float] = Field(description="low and high: nine times in ten the accuracy lies between them")
    support: Literal["inside", "doubtful", "unseen", "outside"] = Field(description="how well such networks are known")
    why: str = Field(description="the reason of this word, and what to do")
    weights: Literal["own", "fresh"] | None
    explanation: dict[str, Any] | None


class Answer(PredictionShown):
    """A prediction for a model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "ab" * 32,
                    "task": "digits",
                    "accuracy": 0.93,
                    "std": 0.02,
                    "interval": [0.89, 0.96],
                    "support": "inside",
                    "why": "the predictor was fitted on networks like this one",
                    "weights": None,
                    "explanation": None,
                    "others": [],
                }
            ]
        }
    )

    model: str
    others: list[PredictionShown] = Field(description="for other tasks or weights, if the question left them open")


class BatchItem(BaseModel):
    """The answer for one model of a batch, or the problem with it."""

    model: str
    answer: Answer | None
    problem: dict[str, Any] | None


class BatchAnswer(BaseModel):
    """The answers in the order of the question."""

    items: list[BatchItem]


@router.post(
    "/models",
    status_code=201,
    summary="Upload an ONNX file",
    operation_id="create_model",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}},
    responses={200: {"model": ModelResource, "description": "the same file was uploaded before"}},
)
async def create(request: Request, response: Response, caller: Runner, name: FileName = "") -> ModelResource:
    """The body is the content of the file. Its name is the SHA-256 of its content; the same content is stored once."""
    require_type(request, ("application/octet-stream", "application/x-onnx", "application/onnx"))

    def keep(service: Service, got: Received) -> tuple[StoredUpload, bool]:
        return _keep(service, caller.id, got, name)

    most = service_of(request).settings.limits.model
    return ModelResource.of(await FAMILY.take(request, response, caller, most, ".onnx", keep))


@router.get("/models", summary="List uploaded models", operation_id="list_models")
def page(request: Request, caller: Reader, cursor: Cursor = None, limit: Limit = 20) -> ModelPage:
    """One page of models, ordered by their hash."""
    found, next_ = FAMILY.page(service_of(request), cursor, limit)
    return ModelPage(items=[ModelResource.of(one) for one in found], next=next_)


@router.get("/models/{sha256}", summary="Show an uploaded model", operation_id="get_model")
def get(request: Request, caller: Reader, sha256: Sha) -> ModelResource:
    """What is known about the file."""
    return ModelResource.of(FAMILY.known(service_of(request), sha256))


@router.delete(
    "/models/{sha256}",
    status_code=204,
    summary="Delete an uploaded model",
    operation_id="delete_model",
    responses=IN_USE,
)
def delete(request: Request, caller: Runner, sha256: Sha) -> None:
    """Remove the file; its bytes no longer count for the quota. Searches that used it and have ended keep their results."""
    FAMILY.delete(service_of(request), caller, sha256)


@router.post("/models/{sha256}:predict", summary="Predict the accuracy of a model", operation_id="predict")
async def predict(request: Request, caller: Runner, sha256: Sha, body: Question) -> Answer:
    """Accuracy from the structure alone, without training. Answers are remembered."""
    text = await _answered(service_of(request), sha256, _question(body))
    return Response(text, media_type="application/json")  # type: ignore[return-value]  # it is checked where it is made


@router.post("/models:predict", summary="Predict the accuracy of several models", operation_id="predict_batch")
async def predict_batch(request: Request, caller: Runner, body: BatchQuestion) -> BatchAnswer:
    """One answer or problem for each model. A model that cannot be predicted does not stop the others."""
    service, question = service_of(request), _question(body)
    items = []
    for sha256 in body.models:
        try:
            answer = Answer(**json.loads(await _answered(service, sha256, question)))
            items.append(BatchItem(model=sha256, answer=answer, problem=None))
        except Problem as problem:
            if problem.status >= 500:
                raise
            items.append(BatchItem(model=sha256, answer=None, problem=problem.to_json()))
    return BatchAnswer(items=items)


async def _answered(service: Service, sha256: str, question: dict[str, Any]) -> str:
    found = service.predictions.remembered(sha256, question)
    service.metrics.predictions.labels("asked" if found is None else "remembered").inc()
    return await run_in_threadpool(service.predictions.ask, sha256, question) if found is None else found


def _question(body: Question) -> dict[str, Any]:
    """The question as plain values, the same for the same meaning."""
    question = body.model_dump(exclude_none=True, exclude={"models"})
    if isinstance(body.task, str) and SHA256.fullmatch(body.task):
        question[DATASET] = question.pop("task")
    return question


def _keep(service: Service, owner: str, got: Received, name: str) -> tuple[StoredUpload, bool]:
    """Check the file in a process of its own, and store it; returns its facts, and whether it is new."""
    with service.database.read() as connection:
        known = find_upload(connection, got.sha256, (MODEL,))
    if known is not None:
        return known, False
    facts = service.pool.call("read_model", file=str(got.path))
    upload = new_upload(MODEL, got.sha256, owner, name, got.bytes, facts)
    return upload, store(service, got, upload)
