"""Training batches in one file: what a machine without TensorFlow trains on."""

import itertools
import os
import pathlib
import zipfile

import numpy as np

import ssd


def write(
    labels: str | os.PathLike,
    config: ssd.Config,
    path: str | os.PathLike,
    *,
    batch_size: int = 32,
    batches: int = 8,
) -> None:
    """Store what `ssd.dataset` makes for training.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        path: `.npz` file; it appears whole or not at all.
        batch_size: Photos in a batch.
        batches: How many batches.

    Raises:
        FileNotFoundError: If there are no such labels.
        ValueError: If there is less than a batch of photos.
        OSError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> from benchmarks.portraits import write_portraits
        >>> config = ssd.Config(image_size=(64, 64))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_portraits(folder, count=2)
        ...     write(folder, config, f"{folder}/pack.npz", batch_size=2, batches=1)
        ...     images, labels, same = read(f"{folder}/pack.npz")
        >>> images.shape, labels.shape, same == config
        ((2, 64, 64, 3), (2, 128, 5), True)
    """
    path = pathlib.Path(path)
    made = ssd.dataset(labels, config, batch_size=batch_size, training=True)
    some = [*itertools.islice(made.repeat().as_numpy_iterator(), batches)]
    if not some:
        raise ValueError(f"{labels}: wanted at least a batch of {batch_size} photos")
    images, rows = (np.concatenate(part) for part in zip(*some, strict=True))
    part = path.with_name(f"{path.stem}.part.npz")
    np.savez_compressed(part, images=images, labels=rows, config=config.to_json())
    os.replace(part, path)


def read(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray, ssd.Config]:
    """What `write` stored.

    Args:
        path: The file.

    Returns:
        Images, uint8 [photos, height, width, 3]; labels, float32 [photos, rows, 5]; and the
        Config that they are for.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is something else.

    Example:
        >>> read("nowhere.npz")
        Traceback (most recent call last):
        FileNotFoundError: nowhere.npz: wanted a file of benchmarks.gpu --write-pack, there is none
    """
    wanted = f"{path}: wanted a file of benchmarks.gpu --write-pack"
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(f"{wanted}, there is none")
    try:
        with np.load(path, allow_pickle=False) as stored:
            config = ssd.Config.from_json(str(stored["config"]))
            return stored["images"], stored["labels"], config
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{wanted}, this is something else ({error})") from None


def is_pack(path: pathlib.Path) -> bool:
    """Whether a file is what `write` stored.

    Args:
        path: The file.

    Returns:
        Whether `read` takes it.

    Example:
        >>> is_pack(pathlib.Path(__file__))
        False
    """
    try:
        return bool(read(path))
    except (OSError, ValueError):
        return False


def take(images: np.ndarray, labels: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """A batch of any size: photos of the pack, from the first one again where there are too few.

    Args:
        images: [photos, height, width, 3].
        labels: [photos, rows, 5].
        batch_size: Photos in the batch.

    Returns:
        Images and labels of the batch.

    Example:
        >>> images, labels = np.arange(2).reshape(2, 1, 1, 1), np.zeros((2, 4, 5))
        >>> take(images, labels, 5)[0].ravel().tolist()
        [0, 1, 0, 1, 0]
    """
    order = [*itertools.islice(itertools.cycle(range(len(images))), batch_size)]
    return images[order], labels[order]
