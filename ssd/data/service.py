"""`python -m ssd.data.service`: machines that make training batches for another one.

    python -m ssd.data.service dispatcher --port 5050              on one machine
    python -m ssd.data.service worker grpc://10.0.0.1:5050          on each machine that is to help
    ssd.dataset(..., training=True, service="grpc://10.0.0.1:5050")

Workers open the shards themselves, so they must see the folder under the same path.
"""

import argparse
import socket
import sys


def main(arguments=None):
    """Serve until stopped; the exit status is 0 if that was by Ctrl-C."""
    options = _parser().parse_args(arguments)
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


def address(server, port):
    """Where others reach a server of this machine."""
    if hasattr(server, "target"):
        port = server.target.rpartition(":")[2]  # port 0 means any that is free
        return f"grpc://{socket.gethostname()}:{port}"
    return socket.gethostname()


def _dispatcher(options):
    import tensorflow as tf

    service = tf.data.experimental.service
    return service.DispatchServer(service.DispatcherConfig(port=options.port))


def _worker(options):
    import tensorflow as tf

    service = tf.data.experimental.service
    scheme, _, target = options.dispatcher.partition("://")
    if scheme != "grpc" or ":" not in target:
        raise ValueError(f"dispatcher: wanted grpc://HOST:PORT, got {options.dispatcher}")
    config = service.WorkerConfig(
        dispatcher_address=target,
        worker_address=f"{options.host}:%port%" if options.host else None,
        port=options.port,
    )
    return service.WorkerServer(config)


def _parser():
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
