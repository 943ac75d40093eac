"""Images through several stages in another process. Neither process copies them for the other: the client draws a frame in memory that it shares
with the server, and each stage writes its result where the client reads it.

    python docs/examples/image_pipeline.py

starts the service, sends it some frames, and ends. To have it run by itself: nanorpc serve docs/examples/image_pipeline.py:service
"""

import time

import numpy as np
from numpy.typing import NDArray

import nanorpc
from nanorpc.testing import run_service

FRAME = (720, 1280)
BYTES = 720 * 1280 * 4

Image = NDArray[np.float32]

service = nanorpc.Service("images", doc="Stages of a pipeline for images.")


@service.method(raw=True)
def smooth(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
    """Average each pixel with its neighbours above, below and beside."""
    image = request.array(np.float32, FRAME)  # where the client has written it
    result = reply.array(FRAME, np.float32)  # where the client will read it
    result[:] = image
    inner = result[1:-1, 1:-1]
    for neighbour in (image[:-2, 1:-1], image[2:, 1:-1], image[1:-1, :-2], image[1:-1, 2:]):
        inner += neighbour
    inner /= 5


@service.method(raw=True)
def edges(request: nanorpc.Request, reply: nanorpc.Reply) -> None:
    """Leave what changes from one pixel to the next."""
    image = request.array(np.float32, FRAME)
    result = reply.array(FRAME, np.float32)
    result[:, 0] = 0
    np.subtract(image[:, 1:], image[:, :-1], out=result[:, 1:])
    np.abs(result, out=result)


@service.method
def summary(image: Image) -> dict[str, float]:
    """Say how bright an image is: arrays may also be arguments and results, beside other values."""
    return {"mean": float(image.mean()), "brightest": float(image.max())}


def draw(image: Image, number: int) -> None:
    """Draw a bright square that moves to the right."""
    image[:] = 0.1
    image[300:400, 100 * number : 100 * number + 100] = 1.0


def main() -> None:
    """Run the pipeline."""
    with run_service(service) as client:
        for number in range(5):
            start = time.perf_counter()
            with client.smooth.loan(BYTES) as loan:
                draw(loan.array(np.float32, FRAME), number)
                smoothed = loan.send()
            with smoothed, client.edges.loan(BYTES) as loan:
                np.copyto(loan.array(np.float32, FRAME), smoothed.array(np.float32, FRAME))  # from one stage to the next
                outlines = loan.send()
            with outlines:  # a lease: the memory is the server's again after this block
                image = outlines.array(np.float32, FRAME)
                columns = np.flatnonzero(image[350] > 0.3)
                said = client.summary(image)
                del image  # or it would keep the memory
            milliseconds = (time.perf_counter() - start) * 1e3
            print(f"frame {number}: edges at columns {columns.tolist()}, brightest {said['brightest']:.2f}, {milliseconds:.1f} ms")


if __name__ == "__main__":
    main()
