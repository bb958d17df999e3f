"""``/v1/searches/{id}/network``: the layers of the winner and its drawing, as in the report."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from nas.service.api.searches import Id, known_search
from nas.service.problems import not_found
from nas.service.security.access import Reader
from nas.service.service import service_of

router = APIRouter(prefix="/v1", tags=["searches"])


class Layer(BaseModel):
    """A weight of the network."""

    weight: str = Field(examples=["hidden_1.weight"])
    operator: str = Field(examples=["Gemm"])
    shape: str = Field(examples=["26×64"])
    nnz: int = Field(description="non-zero weights")
    density: float = Field(description="their share of all weights")
    inputs: float = Field(description="mean of the inputs of a unit")
    most_inputs: int = Field(description="inputs of the unit that has the most")


class Network(BaseModel):
    """The winner of a search, without units that have no input or no output."""

    weights: int
    nnz: int
    params: int
    macs: int
    layers: list[Layer]
    drawing: str | None = Field(description="the layers as an SVG element; null if there are too many to draw")


@router.get("/searches/{id}/network", summary="Show the layers of the winner", operation_id="get_network")
def get(request: Request, caller: Reader, id: Id) -> Network:
    """Non-zeros by layer, and a drawing."""
    service = service_of(request)
    known_search(service, id)
    path = service.folder.artifact(id, "best.onnx")
    if not path.is_file():
        raise not_found(f"winner of search {id} (yet)")
    return Network(**service.pool.call("network", file=str(path)))
