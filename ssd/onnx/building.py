"""An ONNX graph while it is put together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

OPSET = 17  # of 2022: what OpenCV, browsers and phones have learned since


class Graph:
    """An ONNX graph while it is put together.

    Attributes:
        nodes: The operations so far.
        constants: The weights so far.

    Example:
        >>> graph = Graph()
        >>> graph.add("Add", ["x", graph.constant("one", np.float32(1))], "y")
        'y'
        >>> graph.nodes[0].op_type, graph.constants[0].name
        ('Add', 'one')
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operation: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """One more operation.

        Args:
            operation: Its name in ONNX.
            inputs: Names of what goes in.
            output: Name of what comes out.
            **attributes: As ONNX has them.

        Returns:
            The output's name.
        """
        node = helper.make_node(operation, [*inputs], [output], name=output, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, name: str, values: Any) -> str:
        """One more array that is part of the model.

        Args:
            name: Of the array.
            values: An array in the type that it is to have.

        Returns:
            The name.
        """
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def floats(self, name: str, values: Any) -> str:
        """A `constant` in float32.

        Args:
            name: Of the array.
            values: A number, or anything that becomes an array.

        Returns:
            The name.
        """
        return self.constant(name, np.asarray(values, np.float32))

    def integers(self, name: str, values: Any) -> str:
        """A `constant` in int64, which is what ONNX takes for shapes, axes and indices.

        Args:
            name: Of the array.
            values: A number, or anything that becomes an array.

        Returns:
            The name.
        """
        return self.constant(name, np.asarray(values, np.int64))

    def split(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        operation: str = "Split",
        **attributes: Any,
    ) -> None:
        """One more operation, of several outputs.

        Args:
            inputs: Names of what goes in.
            outputs: Names of what comes out.
            operation: Its name in ONNX.
            **attributes: As ONNX has them.
        """
        node = helper.make_node(operation, [*inputs], [*outputs], name=outputs[0], **attributes)
        self.nodes.append(node)
