"""Videos that several tests need, made here and nowhere stored."""

import pathlib

import numpy as np

import ssd

SIZE = (192, 256)
RATE = 30


def portrait():
    """The sample portrait that comes with matplotlib, at a width of 128 pixels."""
    import matplotlib.cbook
    from PIL import Image

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return np.asarray(Image.fromarray(ssd.read_photo(path)).resize((128, 150)))


def frames(count):
    """A portrait that walks to and fro over a gray ground."""
    face = portrait()
    for index in range(count):
        frame = np.full((*SIZE, 3), 90, np.uint8)
        left = abs(index % 200 - 100) + 10
        frame[20 : 20 + len(face), left : left + face.shape[1]] = face
        yield frame


def write_video(path: pathlib.Path, count: int, *, rounds: int = 1) -> pathlib.Path:
    """So many frames as an ordinary MP4 file, one after the other so many times."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for _ in range(rounds):
            for frame in frames(count):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def read_video(path: pathlib.Path) -> list[np.ndarray]:
    """All frames of a video, decoded without this project."""
    import av

    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
