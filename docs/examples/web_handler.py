"""A web server that has its work done by a service: an asyncio handler calls it without blocking the loop.

    python docs/examples/web_handler.py

starts both, asks for some pages, and ends. With --serve, the web server runs on http://127.0.0.1:8080 until Ctrl-C, and calls a service that
runs by itself: nanorpc serve docs/examples/web_handler.py:service
"""

import asyncio
import contextlib
import json
import sys
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import nanorpc
import nanorpc.aio
from nanorpc.testing import ServiceProcess

service = nanorpc.Service("texts")


@service.method
def count(text: str, letters: str = "aeiou") -> dict[str, int]:
    """Count letters in a text."""
    return {letter: text.lower().count(letter) for letter in letters}


class Handler:
    """Answers ``GET /count?text=...`` with what the service says, as JSON."""

    def __init__(self, client: nanorpc.aio.Client) -> None:
        self._client = client

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            _, target, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
            status, content = await self.answer(target)
            body = json.dumps(content).encode() + b"\n"
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        finally:
            writer.close()

    async def answer(self, target: str) -> tuple[HTTPStatus, object]:
        """Return the status and the content for what is asked."""
        url = urlsplit(target)
        try:
            method = self._client.method(url.path.strip("/")).options(timeout=2.0)
            return HTTPStatus.OK, await method(**dict(parse_qsl(url.query)))
        except nanorpc.UnknownMethod:
            return HTTPStatus.NOT_FOUND, "there is no such page"
        except nanorpc.BadRequest as error:
            return HTTPStatus.BAD_REQUEST, str(error)
        except nanorpc.DeadlineExceeded:
            return HTTPStatus.GATEWAY_TIMEOUT, "the service has not answered in time"
        except nanorpc.NanoRPCError as error:
            return HTTPStatus.BAD_GATEWAY, str(error)


async def get(port: int, target: str) -> str:
    """Ask for a page, and return the status line and the content."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return f"{head.splitlines()[0]}: {body.strip()}"


async def demonstrate() -> None:
    """Start the service and the web server, and ask for some pages."""
    with ServiceProcess(service) as process:
        async with nanorpc.aio.connect(process.service, directory=process.directory) as client:
            server = await asyncio.start_server(Handler(client), "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            targets = ["/count?text=shared+memory", "/count?text=abcabc&letters=abc", "/count", "/nothing"]
            for target, answer in zip(targets, await asyncio.gather(*(get(port, target) for target in targets)), strict=True):
                print(f"{target}\n  {answer}")
            server.close()
            await server.wait_closed()


async def serve() -> None:
    """Run the web server."""
    async with nanorpc.aio.connect("texts") as client:
        server = await asyncio.start_server(Handler(client), "127.0.0.1", 8080)
        print("try http://127.0.0.1:8080/count?text=hello")
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve() if "--serve" in sys.argv else demonstrate())
