# What an editor sees of the names that `ssd/__init__.py` imports when they are first used.
# tests/test_types.py holds the two together.

from ssd.balance import equation as equation
from ssd.balance.callback import Balance as Balance
from ssd.boxes import turn_boxes as turn_boxes
from ssd.calibrating import calibrate as calibrate
from ssd.config import Config as Config
from ssd.data.importing import import_labels as import_labels
from ssd.data.labels import read_labels as read_labels
from ssd.data.labels import write_labels as write_labels
from ssd.data.pipeline import dataset as dataset
from ssd.data.records import LabeledPhoto as LabeledPhoto
from ssd.data.shrinking import shrink_labels as shrink_labels
from ssd.data.stages import pipeline_stages as pipeline_stages
from ssd.detect.blurring import blur as blur
from ssd.detect.capture import CaptureLog as CaptureLog
from ssd.detect.detections import Detections as Detections
from ssd.detect.drawing import draw as draw
from ssd.detect.runtime import find_runtime as find_runtime
from ssd.detect.smoothing import Smoother as Smoother
from ssd.detect.suppression import nms as nms
from ssd.detect.tracking import Tracker as Tracker
from ssd.exporting import export as export
from ssd.metrics.evaluation import evaluate as evaluate
from ssd.metrics.evaluation import evaluate_run as evaluate_run
from ssd.metrics.results import run_detector as run_detector
from ssd.nets.backbones import backbone as backbone
from ssd.nets.growing import take_over as take_over
from ssd.nets.keeping import KeepingLoss as KeepingLoss
from ssd.nets.loading import load as load
from ssd.nets.losses import MultiboxLoss as MultiboxLoss
from ssd.nets.model import SSD as SSD
from ssd.opening import Detector as Detector
from ssd.outputs import check_output as check_output
from ssd.photos.letterbox import letterbox as letterbox
from ssd.photos.reading import read_photo as read_photo
from ssd.photos.reading import write_photo as write_photo
from ssd.sources.frames import read_frames as read_frames
from ssd.training.fitting import train as train

__all__: list[str]
__version__: str
