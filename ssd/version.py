"""The version, in one place: of `ssd.__version__`, of the package, and of every model it makes."""

__version__ = "0.1.0"
