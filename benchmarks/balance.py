"""`python -m benchmarks.balance LABELS`: does the data keep up with the device, and if not, why.

Measures what one core needs for an example, stage by stage; the train step, part by part; and
the training loop with real data beside what `benchmarks.equation` predicts of it.
"""

import argparse
import functools
import io
import json
import os
import pathlib
import platform
import sys
import tempfile
import time
from importlib import metadata

import numpy as np

import ssd
from benchmarks import cores, equation, first_trainer, ladder, utilization

STAGES = ("read", "augment", "decode", "resize", "batch")
TARGET = 0.95


def main(arguments=None):
    """Measure, print a table, write what was asked for; the exit status is 0 when all is done."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    options = _parser().parse_args(arguments)
    try:
        for path in filter(None, (options.json, options.plot)):
            if not path.parent.is_dir():
                raise ValueError(f"{path}: wanted a file in a folder that exists")
        with tempfile.TemporaryDirectory() as folder:
            if options.labels is None:
                options.labels = pathlib.Path(folder)
                write_portraits(options.labels)
                source = "cut-outs of one portrait, since no LABELS were given"
            else:
                source = str(options.labels)
            result = {"photos": source, **measure(options)}
        print(table(result))
        if options.json:
            options.json.write_text(json.dumps(result, indent=2) + "\n")
        if options.plot:
            plot(result, options.plot)
    except (ImportError, OSError, ValueError) as error:
        print(f"balance: {error}", file=sys.stderr)
        return 1
    return 0


def measure(options):
    """Everything the table shows, as plain values (`--json` writes them)."""
    text = options.config.read_text() if options.config else "{}"
    config = ssd.Config.from_json(text)
    labels, batch_size = options.labels, options.batch_size
    _say("one core, stage by stage")
    result = {
        "machine": machine(),
        "batch_size": batch_size,
        "image_size": list(config.image_size),
        "stages": time_stages(labels, config, batch_size),
        "cores": options.cores,
    }
    before = cores.busy()
    if options.device_step and options.ladder:
        device = options.device_step[0]
        result["ladder"] = ladder.climb(
            labels,
            config,
            functools.partial(wait, device),
            device,
            run,
            batch_size=batch_size,
            seconds=options.seconds,
        )
        result["ladder_device_seconds"] = device
    elif options.device_step:
        result["imitated"] = imitate(labels, config, options)
    else:
        result["model"], train = time_model(
            labels, config, options, example_seconds=result["stages"]["example"]
        )
        if options.ladder:
            device = result["model"]["step"]
            result["ladder"] = ladder.climb(
                labels,
                config,
                train,
                device,
                run,
                batch_size=batch_size,
                seconds=options.seconds,
            )
            result["ladder_device_seconds"] = device
    if options.ladder:
        _say("one process on one core, alone and with a data service")
        result["capped"] = ladder.capped(
            labels, config, run, batch_size=batch_size, seconds=options.seconds
        )
    result["other_work"] = cores.other_work(before, cores.busy())
    result["advice"] = advice(result)
    return result


def time_stages(labels, config, batch_size, *, repeats=8):
    """Seconds of one core for an example, stage by stage.

    Each stage is the time of the pipeline up to it, less that of the pipeline before it. It is
    processor time, so that other work on the machine disturbs it least; the best of several.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.
        repeats: How often everything is timed.

    Returns:
        A dictionary: seconds of each of `STAGES`; "example", T_g, all of them together; and
        "bare_decoding", of decoding the same files whole and doing nothing else; and
        "first_trainer", of the Python loop that the project began with.
    """
    import tensorflow as tf

    from ssd.data import augment, records
    from ssd.data.pipeline import TOGETHER, plan_examples

    count = min(records.count(labels), 256) // batch_size * batch_size
    if count == 0:
        raise ValueError(f"{labels}: wanted at least a batch of {batch_size} photos")
    photos = tf.data.TFRecordDataset([str(path) for path in records.shards(labels)]).take(count)
    photos = photos.repeat()
    groups = tf.data.Dataset.zip(photos.batch(TOGETHER), tf.data.Dataset.random(seed=1).batch(2))
    read = groups.map(lambda serialized, seed: records.parse(serialized)).unbatch()
    planned = groups.map(
        lambda serialized, seed: plan_examples(records.parse(serialized), config, seed=seed)
    ).unbatch()
    whole = planned.map(
        lambda photo, view, label: (augment.make_image(photo[0], view, config.image_size), label)
    )
    pipelines = [
        read,
        planned.map(lambda photo, view, label: augment.decode_part(photo[0], view)[0]),
        whole,
        whole.batch(batch_size),
        planned,
        read.map(
            lambda record: tf.io.decode_jpeg(
                record["encoded"], channels=3, dct_method="INTEGER_ACCURATE"
            )
        ),
    ]
    # One look at a pipeline goes through all photos and hands out nothing: neither setting it up
    # nor handing its pixels to Python is counted.
    one = on_cores(1)
    one.autotune.enabled = False
    # Among them is making maps parallel: a look would find what was made during another's.
    one.experimental_optimization.apply_default_optimizations = False
    sizes = [count, count, count, count // batch_size, count, count]
    pipelines = [
        iter(pipeline.map(lambda *_: 0).batch(size).with_options(one))
        for pipeline, size in zip(pipelines, sizes, strict=True)
    ]
    best = np.full(len(pipelines), np.inf)
    for _ in range(repeats + 1):  # the first round warms up: graphs are optimized, files read
        for index, pipeline in enumerate(pipelines):
            start = time.process_time()
            next(pipeline)
            best[index] = min(best[index], (time.process_time() - start) / count)
    few = [record for record, _ in zip(records.read(labels), range(16), strict=False)]
    first = np.inf
    for _ in range(repeats):
        start = time.process_time()
        for record in few:
            first_trainer.example(record, config)
        first = min(first, (time.process_time() - start) / len(few))
    read, decoded, shown, batched, planned, bare = best
    steps = np.diff([0.0, read, planned, decoded, shown, batched]).clip(0)
    return {
        **dict(zip(STAGES, steps.tolist(), strict=True)),
        "example": float(batched),
        "bare_decoding": float(bare - read),
        "first_trainer": float(first),
    }


def on_cores(count):
    """Options that let a `tf.data` pipeline work on so many cores."""
    import tensorflow as tf

    options = tf.data.Options()
    options.threading.private_threadpool_size = count
    options.threading.max_intra_op_parallelism = 1
    return options


def imitate(labels, config, options):
    """The real pipeline against a step that only waits, on one core, two, and so on.

    The time of an example is measured here once more, by the clock and just before each row:
    what else the machine does then disturbs prediction and measurement alike. For the same
    reason C is not the number of cores but what they are worth just then, measured with another
    kind of work: how much faster photos are decoded on all of them than on one.

    Returns:
        A list of dictionaries, one for each number of cores and each step: "cores",
        "effective_cores" (C), "device_seconds", "example_seconds" (T_g), "predicted" and
        "measured" (photos a second), "utilization".
    """
    kind = {"batch_size": options.batch_size, "training": True}
    counts = range(1, options.cores + 1)
    loops = ssd.dataset(labels, config, **kind).repeat()
    decoded = only_decoded(labels)
    rows = [(count, step) for count in counts for step in options.device_step]
    seen = {row: [] for row in rows}

    def timed(data, count, seconds, step=lambda batch: None):
        # One pipeline at a time: another would go on filling its buffers meanwhile.
        with cores.confined(count):
            batches = iter(data.with_options(on_cores(count)))
            run(batches, step, seconds / 3)  # until it has settled how much is done at once
            return run(batches, step, seconds)

    for turn in range(options.repeats):
        for count, step in rows:
            _say(f"round {turn + 1} of {options.repeats}: {count} cores, step of {step * 1e3:g} ms")
            example = timed(loops, 1, options.seconds) / options.batch_size
            effective = 1.0
            if count > 1:
                effective = timed(decoded, 1, options.seconds / 2)
                effective /= timed(decoded, count, options.seconds / 2)
            loop = timed(loops, count, options.seconds, lambda _, step=step: time.sleep(step))
            seen[count, step].append((example, effective, loop))
    found = []
    for count, step in rows:
        example, effective, loop = np.median(seen[count, step], axis=0).tolist()
        data = equation.data_seconds_per_batch(example, options.batch_size, effective)
        found.append(
            {
                "cores": count,
                "effective_cores": effective,
                "device_seconds": step,
                "example_seconds": example,
                "predicted": equation.photos_per_second(data, step, options.batch_size),
                "measured": options.batch_size / loop,
                "utilization": equation.utilization(data, step),
            }
        )
    return found


def wait(seconds, batch):
    """The step of a device that only waits, whatever the batch."""
    time.sleep(seconds)


def only_decoded(labels):
    """Sizes [16, 3] of photos that were decoded whole and thrown away: work, and nothing else."""
    import tensorflow as tf

    from ssd.data import records

    def decode(serialized):
        encoded = records.parse(serialized)["encoded"]
        return tf.shape(tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"))

    photos = tf.data.TFRecordDataset([str(path) for path in records.shards(labels)]).take(256)
    photos = photos.cache().repeat().map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    return photos.batch(16, drop_remainder=True)


def run(batches, step, seconds):
    """Seconds between two steps of a loop, measured for so many seconds.

    What lies ready when the loop starts would make it look fast, so it is taken out first,
    until a batch has to be waited for; and two steps go before, in which a model is traced.
    """
    for _ in range(64):
        begun = time.perf_counter()
        next(batches)
        if time.perf_counter() - begun > 0.002:
            break
    for _ in range(2):
        step(next(batches))
    begun, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < seconds or count < 4:
        step(next(batches))
        count += 1
    return passed / count


def time_model(labels, config, options, *, example_seconds):
    """The train step, part by part, and the loop with real data and with data on the device.

    Args:
        labels: Folder of labels.
        config: The `ssd.Config` of the model.
        options: What was asked for on the command line.
        example_seconds: T_g, as `time_stages` measured it.

    Returns:
        A dictionary of seconds per batch: "forward", "backward" and "update" make up "step", the
        train step on a batch that already is on the device; "data", making a batch; the loop
        with real data as "predicted" and "measured". "device" is GPU or CPU. And the train step
        itself, a function of a batch.
    """
    import keras

    _say("the train step")
    gpu = bool(keras.distribution.list_devices("gpu"))
    data = ssd.dataset(labels, config, batch_size=options.batch_size, training=True).repeat()
    batches = data.as_numpy_iterator()
    batch = [keras.ops.convert_to_tensor(part) for part in next(batches)]
    model = ssd.SSD(config)

    def forward(_):
        model.test_on_batch(*batch)

    def train(photos):
        model.train_on_batch(*photos[:2])

    same = iter(lambda: batch, None)
    # Gradients that are only gathered cost forward and backward; applied, the update as well.
    model.compile(
        keras.optimizers.Adam(gradient_accumulation_steps=10**6), ssd.MultiboxLoss(config)
    )
    forward_seconds = run(same, forward, options.seconds)
    gathered_seconds = run(same, train, options.seconds)
    model.compile(keras.optimizers.Adam(), ssd.MultiboxLoss(config))
    for _ in range(4):
        train(batch)
    busy = time.process_time()
    begun = time.perf_counter()
    step_seconds = run(same, train, options.seconds)
    share = (time.process_time() - busy) / (time.perf_counter() - begun)  # cores it keeps busy

    _say("the training loop with real data")
    with utilization.watch() as seen:
        real_seconds = run(batches, train, options.seconds)
    asked = "NVML"
    if gpu and seen.mean is None and keras.backend.backend() == "jax":
        asked = "the profiler"
        with utilization.trace() as seen:
            run(batches, train, options.seconds)

    data_seconds = equation.data_seconds_per_batch(
        example_seconds, options.batch_size, options.cores
    )
    core_seconds = share * step_seconds
    if gpu:
        predicted = equation.seconds_per_step(data_seconds, step_seconds)
    else:
        predicted = equation.shared_seconds_per_step(
            example_seconds * options.batch_size, core_seconds, step_seconds, options.cores
        )
    return {
        "device": "GPU" if gpu else "CPU",
        "backend": keras.backend.backend(),
        "forward": forward_seconds,
        "backward": max(0.0, gathered_seconds - forward_seconds),
        "update": max(0.0, step_seconds - gathered_seconds),
        "step": step_seconds,
        "step_core_seconds": core_seconds,
        "data": data_seconds,
        "predicted": predicted,
        "measured": real_seconds,
        "predicted_utilization": step_seconds / predicted,
        "measured_utilization": seen.mean,
        "utilization_asked": asked,
        "utilization_why": seen.why_none,
    }, train


def advice(result):
    """Which side binds and what to do about it, in one sentence each.

    Args:
        result: What `measure` puts together.

    Returns:
        A list of sentences.
    """
    example, batch_size, count = result["stages"]["example"], result["batch_size"], result["cores"]
    if "model" in result:
        devices = [result["model"]["step"]]
        if result["model"]["device"] == "CPU":
            part = (
                example * batch_size / (example * batch_size + result["model"]["step_core_seconds"])
            )
            return [
                f"The device is the CPU and both sides share it: {part:.0%} of the work is data. "
                + (
                    "A cache of decoded photos or a data service on another machine would help."
                    if part > 0.5
                    else "A GPU or a smaller model would help; more cores help both sides."
                )
            ]
    elif "ladder" in result:
        devices = [result["ladder_device_seconds"]]
    else:
        devices = sorted({row["device_seconds"] for row in result["imitated"]})
    return [advise(example, batch_size, device, count) for device in devices]


def advise(example_seconds, batch_size, device_seconds, cores):
    """One sentence on one device: which side binds, and what would change that.

    Args:
        example_seconds: T_g, seconds of one core for an example.
        batch_size: Photos in a batch.
        device_seconds: Seconds of the device for a batch, above 0.
        cores: Cores that make data.

    Returns:
        str.

    Example:
        >>> print(advise(0.028, 32, 0.0104, 4))  # doctest: +NORMALIZE_WHITESPACE
        A step of 10.4 ms: data binds, the device works 5 % of the time; 95 % would take 82 cores
        like these or 2923 photos/s from a cache or a data service, or a model 21.5 times as heavy
        at the same speed.
        >>> print(advise(0.001, 32, 0.0104, 4))  # doctest: +NORMALIZE_WHITESPACE
        A step of 10.4 ms: the device binds and works all of the time; more cores would change
        nothing, a faster device or a lighter model would, down to steps of 8 ms.
    """
    data = equation.data_seconds_per_batch(example_seconds, batch_size, cores)
    said = f"A step of {device_seconds * 1e3:.3g} ms: "
    if equation.binds(data, device_seconds) == "device":
        return said + (
            "the device binds and works all of the time; more cores would change nothing, a "
            f"faster device or a lighter model would, down to steps of {data * 1e3:.3g} ms."
        )
    share = equation.utilization(data, device_seconds)
    needed = equation.cores_needed(example_seconds, batch_size, device_seconds, target=TARGET)
    rate = equation.photos_per_second_needed(batch_size, device_seconds, target=TARGET)
    return said + (
        f"data binds, the device works {100 * share:.0f} % of the time; {100 * TARGET:.0f} % would "
        f"take {np.ceil(needed):.0f} cores like these or {rate:.0f} photos/s from a cache or a "
        f"data service, or a model {data / device_seconds:.1f} times as heavy at the same speed."
    )


def machine():
    """Processor, cores and versions, as "name": value."""
    name = platform.processor() or platform.machine()
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # not Linux
    packages = ("keras", "numpy", "jax")
    versions = {"python": platform.python_version()}
    for package in ("tensorflow-cpu", "tensorflow", *packages):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {"processor": name, "cores": len(cores.available()), **versions}


def write_portraits(folder, *, count=256):
    """Labelled photos for those who have none at hand, cut out of matplotlib's sample portrait.

    Args:
        folder: Where the shard goes.
        count: Photos.
    """
    import imageio.v3 as iio
    import matplotlib.cbook
    from PIL import Image

    from ssd.data import manifest, records

    portrait = iio.imread(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    face = np.array([90, 185, 300, 340])  # ymin, xmin, ymax, xmax in pixels
    random = np.random.default_rng(0)
    photos = []
    for index in range(count):
        top, left = random.integers(0, face[:2])
        bottom = random.integers(face[2], len(portrait)) + 1
        right = random.integers(face[3], portrait.shape[1]) + 1
        cut = Image.fromarray(portrait[top:bottom, left:right]).resize((640, 480))
        file = io.BytesIO()
        cut.save(file, "JPEG", quality=90)
        box = (face - [top, left, top, left]) / np.tile([bottom - top, right - left], 2)
        photos.append(
            records.LabelledPhoto(
                file.getvalue(), f"{index}.jpg", 480, 640, box[None], np.ones(1, int), np.ones(1)
            )
        )
    records.write_shard(records.shard_path(folder, 0), photos)
    manifest.write(folder, {"classes": ["face"]})


def table(result):
    """The result for a person to read."""
    here, stages = result["machine"], result["stages"]
    versions = ", ".join(f"{k} {v}" for k, v in here.items() if k not in ("processor", "cores"))
    rows, columns = result["image_size"]
    lines = [
        f"{here['processor']}, {here['cores']} cores; {versions}",
        f"photos: {result['photos']}; {result['batch_size']} in a batch, input {rows}x{columns}",
        "",
        "one example on one core      ms   share",
    ]
    for stage in STAGES:
        share = stages[stage] / stages["example"]
        lines.append(f"  {stage:22}{stages[stage] * 1e3:8.3f}{share:8.0%}")
    bare = stages["bare_decoding"]
    lines += [
        f"  {'T_g, all together':22}{stages['example'] * 1e3:8.3f}        "
        f"{1 / stages['example']:.0f} photos/s and core",
        f"  {'decoding whole files':22}{bare * 1e3:8.3f}        "
        f"the pipeline does {bare / stages['example']:.0%} of the photos/s that this alone allows",
        f"  {'the first trainer':22}{stages['first_trainer'] * 1e3:8.3f}        "
        f"the pipeline does {stages['first_trainer'] / stages['example']:.1f} times its photos/s",
        "",
    ]
    if "imitated" in result:
        lines += [
            "a device that only waits",
            "  cores  worth  step ms  predicted/s  measured/s    off  device busy",
        ]
        for row in result["imitated"]:
            off = row["measured"] / row["predicted"] - 1
            lines.append(
                f"  {row['cores']:5}{row['effective_cores']:7.2f}"
                f"{row['device_seconds'] * 1e3:9g}{row['predicted']:13.0f}"
                f"{row['measured']:12.0f}{off:7.1%}{row['utilization']:13.0%}"
            )
    elif "model" in result:
        lines += _model_lines(result["model"], result["cores"], result["batch_size"])
    if "ladder" in result:
        lines += _ladder_lines(result["ladder"], result["ladder_device_seconds"])
        found = result["capped"]
        lines += [
            f"a loop that may use one core makes {found['alone']:.0f} photos/s itself; two workers "
            f"of a data service make {found['served']:.0f}, {found['gain']:.2f} times as many"
        ]
    lines += ["", *result["advice"]]
    if (result["other_work"] or 0) > 0.1:
        lines.append(
            f"WARNING: other work kept {result['other_work']:.1f} cores busy meanwhile; "
            "measured again on a quiet machine the figures will be better."
        )
    return "\n".join(lines)


def _ladder_lines(rows, device_seconds):
    yield f"the same training fed in five ways, a device step of {device_seconds * 1e3:.3g} ms"
    yield "  rung                               data ms  predicted ms  measured ms  device busy"
    for row in rows:
        yield (
            f"  {row['rung']:33}{row['data_seconds'] * 1e3:9.1f}{row['predicted'] * 1e3:14.1f}"
            f"{row['measured'] * 1e3:13.1f}{row['utilization']:13.0%}"
        )


def _model_lines(model, cores, batch_size):
    guess = equation.device_seconds_per_batch(model["forward"] / batch_size, batch_size)
    yield f"train step on the {model['device']} ({model['backend']}), ms per batch"
    for part in ("forward", "backward", "update", "step"):
        yield f"  {part:22}{model[part] * 1e3:8.1f}"
    yield (
        f"  {'2 x forward':22}{guess * 1e3:8.1f}  the guess that backward costs as much as "
        f"forward is off by {guess / model['step'] - 1:+.0%}"
    )
    yield ""
    yield f"training loop, {cores} cores, ms per batch"
    yield f"  {'making the data':22}{model['data'] * 1e3:8.1f}"
    yield f"  {'data on the device':22}{model['step'] * 1e3:8.1f}"
    off = model["measured"] / model["predicted"] - 1
    yield f"  {'real data, predicted':22}{model['predicted'] * 1e3:8.1f}"
    yield (
        f"  {'real data, measured':22}{model['measured'] * 1e3:8.1f}  {off:+.0%}; "
        f"{batch_size / model['measured']:.0f} photos/s"
    )
    if model["device"] == "CPU":
        yield "No GPU here: the device is the CPU, and data and training share its cores."
    seen = model["measured_utilization"]
    yield (
        f"GPU utilization: predicted {model['predicted_utilization']:.0%}, "
        f"measured by {model['utilization_asked']} {seen:.0%}"
        if seen is not None
        else f"GPU utilization by {model['utilization_asked']}: {model['utilization_why']}"
    )


def plot(result, path):
    """The balance line and what was measured: of the ladder, or else of the device's step."""
    from matplotlib.figure import Figure

    if "ladder" in result:
        plot_ladder(result["ladder"], result["ladder_device_seconds"], path)
        return

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    batch_size, example = result["batch_size"], result["stages"]["example"]
    steps = np.geomspace(1e-3, 0.5, 200)
    if "imitated" in result:
        # T_g as the rows were predicted with, by the clock.
        example = float(np.median([row["example_seconds"] for row in result["imitated"]]))
        slowest = [row["device_seconds"] for row in result["imitated"]]
        steps = np.geomspace(min(slowest) / 2, max(slowest) * 2, 200)
    for count in range(1, result["cores"] + 1):
        rows = [row for row in result.get("imitated", []) if row["cores"] == count]
        worth = float(np.median([row["effective_cores"] for row in rows])) if rows else count
        data = equation.data_seconds_per_batch(example, batch_size, worth)
        line = [equation.photos_per_second(data, step, batch_size) for step in steps]
        (drawn,) = axes.plot(steps * 1e3, line, label=f"predicted, {_cores(count)}")
        axes.plot(
            [row["device_seconds"] * 1e3 for row in rows],
            [row["measured"] for row in rows],
            "o",
            color=drawn.get_color(),
            label=f"measured, {_cores(count)}" if rows else None,
        )
    axes.plot(
        steps * 1e3,
        batch_size / steps,
        ":",
        color="grey",
        label="what the device could take",
    )
    if "model" in result:
        model = result["model"]
        axes.plot(model["step"] * 1e3, batch_size / model["measured"], "k*", label="real loop")
    top = 1.3 * batch_size / equation.data_seconds_per_batch(example, batch_size, result["cores"])
    axes.set(xscale="log", ylim=(0, top), xlabel="ms of the device per batch", ylabel="photos/s")
    axes.set_title("Left of the knee data binds, right of it the device", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend()
    figure.savefig(path, dpi=120)


def plot_ladder(rows, device_seconds, path):
    """Utilization against the time to make a batch: the balance line, and each rung on it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    data = np.array([row["data_seconds"] for row in rows])
    line = np.geomspace(min(data.min(), device_seconds) / 2, data.max() * 2, 200)
    busy = [equation.utilization(each, device_seconds) for each in line]
    axes.plot(line * 1e3, busy, label="predicted, with prefetch")
    busy = [equation.utilization(each, device_seconds, prefetch=False) for each in line]
    axes.plot(line * 1e3, busy, ":", label="predicted, without")
    for number, row in enumerate(rows, 1):
        point = row["data_seconds"] * 1e3, row["utilization"]
        axes.plot(*point, "o", color="k", label="measured" if number == 1 else None)
        beside = (6, 4) if number % 2 else (-12, -14)
        axes.annotate(str(number), point, xytext=beside, textcoords="offset points")
    names = "\n".join(f"{number}  {row['rung']}" for number, row in enumerate(rows, 1))
    axes.text(0.98, 0.72, names, transform=axes.transAxes, ha="right", va="top", fontsize=9)
    axes.set(xscale="log", ylim=(0, 1.08), ylabel="share of the time in which the device works")
    axes.set_xlabel("ms to make a batch")
    axes.set_title(f"A device step of {device_seconds * 1e3:.3g} ms, fed in five ways", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=120)


def _cores(count):
    return f"{count} core" + "s" * (count > 1)


def _say(what):
    if sys.stderr.isatty():
        print(f"\r\033[K{what} ...", end="", file=sys.stderr, flush=True)


def _positive(kind, name):
    def read(text):
        if not kind(text) > 0:
            raise ValueError
        return kind(text)

    read.__name__ = name  # argparse shows it in its message
    return read


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.balance",
        description="Measure whether the input pipeline keeps up with the device that trains, "
        "hold the training loop against the balance equation, and say which side binds.",
        epilog="Without a GPU: --device-step 0.002 0.01 0.05 shows the equation hold.",
    )
    parser.add_argument(
        "labels",
        type=pathlib.Path,
        nargs="?",
        help="folder that python -m distill wrote; without it: cut-outs of one portrait",
    )
    count = _positive(int, "positive integer")
    parser.add_argument("--config", type=pathlib.Path, help="JSON file with words of ssd.Config")
    parser.add_argument("--batch-size", type=count, default=32, help="photos in a step (32)")
    parser.add_argument(
        "--cores",
        type=count,
        default=len(cores.available()),
        help="cores that make data (all there are)",
    )
    parser.add_argument(
        "--device-step",
        type=_positive(float, "number of seconds"),
        nargs="+",
        metavar="SECONDS",
        help="imitate a device that only waits so long for each batch; no model is built",
    )
    parser.add_argument(
        "--ladder",
        action="store_true",
        help="also feed the training in five ways, from a Python loop to a data service "
        "(with --device-step: this instead of the rows of cores, at the first step given)",
    )
    parser.add_argument(
        "--seconds",
        type=_positive(float, "number of seconds"),
        default=3.0,
        help="how long each loop is timed (3)",
    )
    parser.add_argument(
        "--repeats", type=count, default=3, help="times the imitated rows take turns (3)"
    )
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file")
    parser.add_argument("--plot", type=pathlib.Path, help="draw them as a PNG file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
