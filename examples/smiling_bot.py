"""A bot that looks at whoever comes near, and lights a lamp for a face and another for a smile.

    python examples/smiling_bot.py face.tflite                    # camera, button, two lamps
    python examples/smiling_bot.py face.tflite --photos folder    # photos instead of a camera
    python examples/smiling_bot.py face.tflite --captures seen/   # keep what it saw

It looks while the button (or a proximity sensor that pulls its pin low) is held. Pins are BCM
numbers. With a model of faces alone the smile lamp stays dark; with one that has a class called
`smile` it is lit. Wants gpiozero, and picamera2 or imageio[ffmpeg] for a camera.
"""

import argparse
import itertools
import pathlib
import sys
import time
from typing import Any

from gpiozero import LED, Button

import ssd

SIZE = (640, 480)  # of the camera's frames: more is only thrown away by the resize


def main(arguments=None):
    """Look until the photos end, or until Ctrl-C."""
    options = parse(arguments)
    try:
        detector = ssd.Detector(options.model, threads=options.threads)
        log = ssd.CaptureLog(options.captures) if options.captures else None
        frames = photos(options.photos) if options.photos else camera()
        with (
            LED(options.face_pin) as face,
            LED(options.smile_pin) as smile,
            Button(options.button_pin) as button,
        ):
            watch(detector, frames, button, face, smile, log, options.score_threshold)
    except KeyboardInterrupt:
        print()
    except (ImportError, OSError, ValueError) as error:
        print(f"smiling_bot: {error}", file=sys.stderr)
        return 1
    return 0


def watch(detector, frames, button, face, smile, log, score_threshold):
    """While the button is held, take frames and let the lamps say what is in them."""
    smiles = [name.startswith("smil") for name in detector.config.classes]
    while True:
        if not button.is_active:
            face.off()
            smile.off()
            button.wait_for_active()
        # Asked for after the press: a frame from before it would show nobody.
        frame = next(frames, None)
        if frame is None:
            break
        start = time.perf_counter()
        found = detector(frame, score_threshold=score_threshold)
        seconds = time.perf_counter() - start
        face.value = len(found) > 0
        smile.value = any(smiles[class_id - 1] for class_id in found.class_ids)
        print(f"{len(found)} found in {seconds * 1e3:.1f} ms{', a smile' * smile.value}")
        if log is not None:
            log.add(detector.prepare(frame), found, shape=frame.shape, seconds=seconds)
    face.off()
    smile.off()


def photos(folder):
    """The photos of a folder, one after the other."""
    paths = sorted(folder.glob("*"))
    if not paths:
        raise ValueError(f"{folder}: wanted a folder with photos")
    return map(ssd.read_photo, paths)


def camera():
    """Frames of the Pi's camera, or of a webcam where there is none; uint8 RGB."""
    try:
        from picamera2 import Picamera2
    except ImportError:
        return webcam()
    device = Picamera2()
    # Named for the order in a word of memory: in an array it is red, green, blue.
    wanted = {"size": SIZE, "format": "BGR888"}
    device.configure(device.create_video_configuration(main=wanted))
    device.start()
    return (device.capture_array() for _ in itertools.count())


def webcam():
    """Frames of the first webcam."""
    import imageio

    try:
        reader: Any = imageio.get_reader("<video0>", size=SIZE)
        return iter(reader)
    except IndexError as error:  # imageio's way of saying that there is none
        raise OSError(f"wanted a camera, found none ({error})") from None


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", type=pathlib.Path, help=".tflite file")
    parser.add_argument("--photos", type=pathlib.Path, help="folder to look at, for no camera")
    parser.add_argument("--captures", type=pathlib.Path, help="folder to keep what it saw in")
    parser.add_argument("--score-threshold", type=float, help="least score (the model's own)")
    parser.add_argument("--threads", type=int, default=2, help="threads of the runtime (2)")
    parser.add_argument("--button-pin", type=int, default=17, help="button or sensor (17)")
    parser.add_argument("--face-pin", type=int, default=22, help="lamp for a face (22)")
    parser.add_argument("--smile-pin", type=int, default=27, help="lamp for a smile (27)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
