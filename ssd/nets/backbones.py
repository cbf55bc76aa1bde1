"""Backbones by name: images on [0, 1] to feature maps of stride 8, 16 and 32."""

from ssd.nets.alexnet import alexnet

__all__ = ["alexnet"]
