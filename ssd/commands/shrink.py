"""`ssd shrink`: labels whose photos are no larger than training can use."""

import argparse
import pathlib

from ssd.arguments import Command, existing_file, existing_folder
from ssd.config import Config
from ssd.quiet import import_tensorflow
from ssd.status_line import StatusLine


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labels", type=existing_folder("a folder of labels"), help="folder of labels"
    )
    parser.add_argument("out", type=pathlib.Path, help="folder to write, with the same labels")
    parser.add_argument(
        "--config",
        type=existing_file("a JSON file with fields of ssd.Config"),
        help="JSON file with fields of ssd.Config: photos become at most twice its input (512x512)",
    )


def _run(options: argparse.Namespace) -> None:
    config = Config.read(options.config) if options.config else Config()
    import_tensorflow()
    from ssd.data.shrinking import shrink_labels

    with StatusLine() as status:
        made = shrink_labels(
            options.labels,
            options.out,
            config,
            progress=lambda done, total: status.show(f"{done} of {total} photos"),
        )
    before, after = made["bytes_before"] / 1e6, made["bytes"] / 1e6
    print(f"{options.out}: {made['photos']} photos, {after:,.1f} MB of {before:,.1f}")


COMMAND = Command(
    "shrink",
    "Write labels anew with photos of at most twice the input, so that large ones train faster.",
    _add_arguments,
    _run,
)
