"""`python -m ssd.data.service`: machines that make training batches for another one.

    python -m ssd.data.service dispatcher --open-to-network --port 5050
    python -m ssd.data.service worker --open-to-network grpc://10.0.0.1:5050
    ssd.dataset(..., training=True, service="grpc://10.0.0.1:5050")

One machine is the dispatcher, each that is to help a worker. Workers open the shards themselves, so
they must see the folder under the same path.

TensorFlow's servers listen on every address of a machine and ask nobody who they are, which cannot
be changed. That is why starting one takes an option that says so.
"""

import argparse
import socket
import sys
from collections.abc import Sequence
from typing import Any

_OPEN = (
    "whoever reaches its port can read and write files of this machine and run code on it, as the "
    "user who starts it"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped.

    Args:
        arguments: What was typed; by default those of the process.

    Returns:
        The exit status: 0 if it was stopped by Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    if not options.open_to_network:
        print(f"ssd.service: wanted --open-to-network: {_OPEN}", file=sys.stderr)
        return 2
    try:
        server = options.start(options)
        print(f"{options.command} serves at {address(server, options.port)}", flush=True)
        server.join()
    except KeyboardInterrupt:
        return 0
    except (ValueError, OSError) as error:
        print(f"ssd.service: {error}", file=sys.stderr)
        return 1
    return 0


def address(server: Any, port: int) -> str:
    """Where others reach a server of this machine.

    Args:
        server: A dispatcher or a worker.
        port: What it was asked to listen on.

    Returns:
        Its address; of a worker, whose port nobody needs to know, the machine's name.

    Example:
        >>> import types
        >>> server = types.SimpleNamespace(target="grpc://localhost:5050")
        >>> address(server, 0).endswith(":5050")
        True
    """
    if hasattr(server, "target"):
        port = server.target.rpartition(":")[2]  # port 0 means any that is free
        return f"grpc://{socket.gethostname()}:{port}"
    return socket.gethostname()


def host_and_port(service: str) -> tuple[str, int]:
    """The two parts of a dispatcher's address.

    Args:
        service: `grpc://HOST:PORT`.

    Returns:
        (host, port).

    Raises:
        ValueError: If it is no such address.

    Example:
        >>> host_and_port("grpc://10.0.0.1:5050")
        ('10.0.0.1', 5050)
    """
    scheme, _, target = service.partition("://")
    host, _, port = target.rpartition(":")
    if scheme != "grpc" or not host or not port.isdecimal():
        raise ValueError(f"service: wanted grpc://HOST:PORT, got {service}")
    return host.strip("[]"), int(port)


def _dispatcher(options: argparse.Namespace) -> Any:
    import tensorflow as tf

    service = tf.data.experimental.service
    return service.DispatchServer(service.DispatcherConfig(port=options.port))


def _worker(options: argparse.Namespace) -> Any:
    host, port = host_and_port(options.dispatcher)
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError as error:  # TensorFlow goes on trying for an hour, and does not say so
        print(f"{options.dispatcher}: nobody answers yet ({error}); waiting", file=sys.stderr)
    import tensorflow as tf

    service = tf.data.experimental.service
    config = service.WorkerConfig(
        dispatcher_address=options.dispatcher.partition("://")[2],
        worker_address=f"{options.host}:%port%" if options.host else None,
        port=options.port,
    )
    return service.WorkerServer(config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ssd.data.service",
        description="Make training batches on other machines than the one that trains.",
        epilog='Then train with ssd.dataset(..., training=True, service="grpc://HOST:PORT").',
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = commands.add_parser("dispatcher", help="one of them: tells workers what there is to do")
    made.set_defaults(start=_dispatcher)
    made.add_argument("--port", type=int, default=5050, help="where it listens (5050)")
    made = commands.add_parser("worker", help="as many as you like: makes batches")
    made.set_defaults(start=_worker)
    made.add_argument("dispatcher", help="address of the dispatcher, grpc://HOST:PORT")
    made.add_argument("--host", help="name under which the trainer reaches this machine")
    made.add_argument("--port", type=int, default=0, help="where it listens (any free port)")
    for made in commands.choices.values():
        made.add_argument("--open-to-network", action="store_true", help=f"needed, since {_OPEN}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
