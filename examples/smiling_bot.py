"""A bot that looks at whoever comes near, and lights a lamp for a face and another for a smile.

    python examples/smiling_bot.py MODEL                             # camera, button, two lamps
    python examples/smiling_bot.py MODEL --photos FOLDER --no-pins   # on any PC: lamps in words
    python examples/smiling_bot.py MODEL --captures seen/ --keep-share 0.05 --keep-days 30

It looks while the button (or a proximity sensor that pulls its pin low) is held. Pins are BCM
numbers. The smile lamp goes by the mean score of the last frames, lit from 0.7 on and dark from
0.5 down, so it does not tremble; with a model of faces alone it stays dark. Of what it saw it keeps
what the model was unsure of and a share of the rest, and forgets it after some days.

Wants `pip install ".[bot]"`, and on a Raspberry Pi picamera2, which comes with the system.
"""

import argparse
import collections
import contextlib
import pathlib
import sys
import time
import warnings

import numpy as np

import ssd

try:
    from gpiozero import LED, Button
except ImportError:  # not needed with --no-pins
    LED = Button = None

FLOOR = 0.05  # least score of what is looked at: what is nearly a face says how unsure it was
LIT, DARK = 0.7, 0.5  # mean scores of a smile at which its lamp changes
HOUR = 3600.0


def main(arguments=None):
    """Look until the photos end, or until Ctrl-C."""
    options = parse(arguments)
    try:
        detector = ssd.Detector(options.model, threads=options.threads)
        log = open_log(options)
        with contextlib.ExitStack() as stack:
            frames = photos(options.photos) if options.photos else stack.enter_context(camera())
            button, face, smile = no_pins() if options.no_pins else pins(options, stack)
            watch(detector, frames, button, face, smile, log, options)
    except KeyboardInterrupt:
        print()
    except (ImportError, OSError, ValueError) as error:
        say(error)
        return 1
    return 0


def watch(detector, frames, button, face, smile, log, options):
    """While the button is held, take frames and let the lamps say what is in them."""
    threshold = options.score_threshold
    if threshold is None:
        threshold = detector.config.score_threshold
    smiles = [
        number
        for number, name in enumerate(detector.config.classes, start=1)
        if name.startswith("smil")
    ]
    if not smiles:
        say(f"{options.model} has no class smile: the second lamp stays dark")
    steady = Steady(options.frames or (1 if options.photos else 5))
    frames = iter(frames)
    while True:
        if not button.is_active:
            face.off()
            smile.off()
            steady.clear()
            say(f"waits for the button at pin {options.button_pin}")
            while not button.wait_for_active(HOUR):
                if log is not None:
                    log.forget()
            say("looks")
        # Of a camera the latest: one from before the press would show nobody.
        frame = next(frames, None)
        if frame is None:
            break
        start = time.perf_counter()
        unsure = detector(frame, score_threshold=min(FLOOR, threshold))
        seconds = time.perf_counter() - start
        faces = unsure.pick(unsure.scores >= threshold)
        smiling = smile_of(faces, smiles)
        face.value = len(faces) > 0
        smile.value = steady(smiling) if smiles else False
        scored = f", smile {smiling:.2f}" if smiles and len(faces) else ""
        print(f"{len(faces)} found in {seconds * 1e3:.1f} ms{scored}{', a smile' * smile.value}")
        if log is not None:
            keep(log, detector, frame, faces, unsure, seconds)
    face.off()
    smile.off()


def smile_of(found, smiles):
    """How far the face that smiles most does so; None where there is no face."""
    if not len(found):
        return None
    return float(max(sum((found.share(each) for each in smiles), np.zeros(len(found)))))


class Steady:
    """Yes or no from scores that tremble, by their mean over some frames."""

    def __init__(self, frames: int):
        self.scores: collections.deque[float] = collections.deque(maxlen=frames)
        self.yes = False

    def __call__(self, score: float | None) -> bool:
        """With the next score; None where there is nobody."""
        if score is None:
            self.clear()
            return False
        self.scores.append(score)
        mean = sum(self.scores) / (self.scores.maxlen or 1)
        self.yes = mean >= LIT or (self.yes and mean > DARK)
        return self.yes

    def clear(self) -> None:
        """Begin anew."""
        self.scores.clear()
        self.yes = False


def open_log(options):
    """Where captures go, if they are kept."""
    if not options.captures:
        return None
    return ssd.CaptureLog(options.captures, share=options.keep_share, days=options.keep_days)


def keep(log, detector, frame, found, unsure, seconds):
    """A capture has what the detector answers; what it nearly answered says how unsure it was."""
    doubt = float((1 - np.abs(2 * unsure.scores - 1)).max(initial=0))
    tensor = detector.prepare(frame)
    log.add(tensor, found, shape=frame.shape, seconds=seconds, uncertainty=doubt)


def pins(options, stack):
    """Button, face lamp and smile lamp at their pins."""
    if LED is None or Button is None:
        raise ImportError('wanted gpiozero (pip install ".[bot]"), or --no-pins to do without')
    return [
        stack.enter_context(open_pin(kind, getattr(options, name), name))
        for kind, name in ((Button, "button_pin"), (LED, "face_pin"), (LED, "smile_pin"))
    ]


def open_pin(kind, number, name):
    """A button or lamp; an OSError where the pin is not to be had."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries that gpiozero tries in turn
            return kind(number)
    except Exception as error:  # each of these libraries has errors of its own
        option = f"--{name.replace('_', '-')}"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise OSError(
            f"pin {number} cannot be used ({reason}); {option} names another, "
            "--no-pins does without"
        ) from None


def no_pins():
    """What stands for the button and the lamps where there is no board."""
    return HeldButton(), Lamp("face"), Lamp("smile")


class HeldButton:
    """A button that is always held."""

    is_active = True


class Lamp:
    """A lamp that says what it does."""

    def __init__(self, name: str):
        self.name, self._lit = name, False

    @property
    def value(self) -> bool:
        """Whether it is lit."""
        return self._lit

    @value.setter
    def value(self, lit: bool) -> None:
        if lit != self._lit:
            print(f"{self.name} lamp {'on' if lit else 'off'}")
        self._lit = lit

    def off(self) -> None:
        """No more light."""
        self.value = False


def photos(folder):
    """The photos of a folder, one after the other; what is none is said and passed over."""
    paths = sorted(path for path in folder.glob("*") if path.is_file())
    if not paths:
        raise ValueError(f"{folder}: wanted a folder with photos")
    say(f"looks at {len(paths)} photos of {folder}")

    def read():
        for path in paths:
            try:
                photo = ssd.read_photo(path)
            except (OSError, ValueError) as error:
                say(error)
                continue
            yield photo

    return read()


def camera():
    """Frames of the Pi's camera, or of a webcam where there is none; uint8 RGB."""
    try:
        return ssd.read_frames("picamera2")
    except (ImportError, OSError) as error:  # there is none, or something else uses it
        why = error
    try:
        return ssd.read_frames(0)
    except (ImportError, OSError, ValueError) as error:
        raise OSError(
            f"wanted a camera, found none ({why}; webcam: {error}); --photos FOLDER does without"
        ) from None


def say(what):
    """One line for whoever watches the bot; standard output has what it saw."""
    print(f"smiling_bot: {' '.join(str(what).split())}", file=sys.stderr, flush=True)


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", help="model file, or the name of one that ships")
    parser.add_argument("--photos", type=pathlib.Path, help="folder to look at, for no camera")
    parser.add_argument("--no-pins", action="store_true", help="no button, and lamps in words")
    parser.add_argument("--captures", type=pathlib.Path, help="folder to keep what it saw in")
    parser.add_argument(
        "--keep-share", type=float, default=1.0, help="share of sure frames that is kept (1)"
    )
    parser.add_argument("--keep-days", type=float, help="days after which captures are deleted")
    parser.add_argument("--score-threshold", type=float, help="least score (the model's own)")
    parser.add_argument(
        "--frames", type=int, help="frames of a smile's mean score (5, of photos 1)"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of the runtime (2)")
    parser.add_argument("--button-pin", type=int, default=17, help="button or sensor (17)")
    parser.add_argument("--face-pin", type=int, default=22, help="lamp for a face (22)")
    parser.add_argument("--smile-pin", type=int, default=27, help="lamp for a smile (27)")
    options = parser.parse_args(arguments)
    if options.frames is not None and options.frames < 1:
        parser.error(f"--frames: wanted 1 or more, got {options.frames}")
    if options.score_threshold is not None and not 0 <= options.score_threshold <= 1:
        parser.error(f"--score-threshold: wanted 0 to 1, got {options.score_threshold}")
    return options


if __name__ == "__main__":
    sys.exit(main())
