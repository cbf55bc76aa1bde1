"""The labels of a run: what it learns from, what it is judged by, and how both become batches."""

import dataclasses
import os
import pathlib
from typing import Any, NamedTuple

from ssd.config import Config
from ssd.data import checking, placing, records
from ssd.data.pipeline import dataset
from ssd.training.options import Options


class Contents(NamedTuple):
    """What is in the labels of a run.

    Attributes:
        photos: How many there are to learn from.
        labels: Digest of what is learned from: a short text that is another where a photo is.
        validation: Digest of the validation labels, or None.
        crops: Digest of the crops, or None.

    Example:
        >>> Contents(300, "af13").validation is None
        True
    """

    photos: int
    labels: str
    validation: str | None = None
    crops: str | None = None


@dataclasses.dataclass(frozen=True)
class Material:
    """Folders of labels, and how photos come from them.

    Args:
        labels: As for `ssd.train`.
        validation: As for `ssd.train`.
        crops: As for `ssd.train`.
        cache: As for `ssd.train`.
        sample_on_device: As for `ssd.train`.

    Example:
        >>> [path.name for path in Material("human", validation="judged").folders]
        ['human', 'judged']
    """

    labels: records.Labels
    validation: records.Labels | None = None
    crops: records.Labels | None = None
    cache: str | os.PathLike | None = None
    sample_on_device: bool = False

    @property
    def folders(self) -> list[pathlib.Path]:
        """All folders of labels."""
        several = [each for each in (self.labels, self.validation, self.crops) if each is not None]
        return [folder for each in several for folder in records.folders(each)]

    def check(self, config: Config, options: Options) -> Contents:
        """See that a model can be trained on the labels, without reading the photos.

        Args:
            config: The `ssd.Config` of the model.
            options: The `Options` of the run.

        Returns:
            The `Contents`.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If labels are incomplete, damaged, too few or of other classes.
        """
        content = checking.check(self.labels, config.classes)
        if content.photos < options.batch_size:
            raise ValueError(
                f"{_named(self.labels)}: wanted at least a batch of {options.batch_size} photos, "
                f"got {content.photos}"
            )
        judged = placed = None
        if self.validation is not None:
            judged = checking.check(self.validation, config.classes)
            if not judged.photos:
                raise ValueError(
                    f"{_named(self.validation)}: wanted photos to validate with, got none"
                )
        if self.crops is not None:
            share, spread = options.crop_share or 0.0, options.crop_spread or 0.0
            placed = placing.check(self.labels, self.crops, share, config.classes, spread=spread)
        return Contents(content.photos, content.digest, judged and judged.digest, placed)

    def training_batches(self, config: Config, options: Options, seed: int | None) -> Any:
        """What is learned from.

        Args:
            config: The `ssd.Config` of the model.
            options: The `Options` of the run.
            seed: Makes the order repeatable.

        Returns:
            A `tf.data.Dataset`, as of `ssd.dataset`.
        """
        return dataset(
            self.labels,
            config,
            batch_size=options.batch_size,
            training=True,
            seed=seed,
            weights=options.weights,
            balance=options.balance,
            crops=self.crops,
            crop_share=options.crop_share or 0.0,
            crop_spread=options.crop_spread or 0.0,
            cache=self.cache,
            sample_on_device=self.sample_on_device,
            rotation=options.rotation or 0.0,
        )

    def validation_batches(self, config: Config, options: Options) -> Any:
        """What the loss is measured on after each epoch.

        Args:
            config: The `ssd.Config` of the model.
            options: The `Options` of the run.

        Returns:
            A `tf.data.Dataset`, as of `ssd.dataset`; None without a validation.
        """
        if self.validation is None:
            return None
        return dataset(self.validation, config, batch_size=options.batch_size)


def resolved(labels: records.Labels | None) -> list[str] | None:
    """Folders of labels by paths that mean the same from everywhere.

    Args:
        labels: A folder, or a list; None for none.

    Returns:
        The paths; None for none.

    Example:
        >>> resolved("/labels/human/../mtcnn")
        ['/labels/mtcnn']
    """
    if labels is None:
        return None
    return [str(folder.resolve()) for folder in records.folders(labels)]


def _named(labels: records.Labels) -> str:
    return ", ".join(map(str, records.folders(labels)))
