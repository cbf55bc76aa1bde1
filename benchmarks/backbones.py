"""What each backbone costs in a model: multiply-adds and parameters, counted layer by layer."""

import argparse
import math
import sys

import ssd


def multiply_adds(model: ssd.SSD) -> int:
    """Multiply-adds of a model's convolutions for one photo.

    Args:
        model: An `ssd.SSD`.

    Returns:
        Their number.

    Example:
        >>> multiply_adds(ssd.SSD(ssd.Config(image_size=(64, 64), width_multiplier=0.05))) > 1e6
        True
    """
    return sum(
        math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        for layer in model.layers
        if hasattr(layer, "kernel")
    )


def main(arguments: list[str] | None = None) -> None:
    """Prints one line a backbone.

    Args:
        arguments: Of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backbones", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="of a backbone: alexnet ...")
    parser.add_argument("--width", type=float, default=0.1875, help="width_multiplier (0.1875)")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(256, 320), help="height and width of the input"
    )
    options = parser.parse_args(arguments)
    print(f"{'backbone':12}{'multiply-adds':>14}{'parameters':>12}")
    for name in options.names:
        config = ssd.Config(
            backbone=name, width_multiplier=options.width, image_size=tuple(options.size)
        )
        model = ssd.SSD(config)
        millions = f"{multiply_adds(model) / 1e6:.1f} M"
        print(f"{name:12}{millions:>14}{model.count_params():>12}")


if __name__ == "__main__":
    main(sys.argv[1:])
