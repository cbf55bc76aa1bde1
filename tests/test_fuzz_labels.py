"""Damaged annotation files and shards: one line or a result, no traceback, no hang."""

import collections
import json
import random
import resource
import shutil
import signal

import numpy as np
import pytest
from test_importing import FACES, WRITERS, photos  # noqa: F401
from test_records import photo

from ssd.data import importing, records

MANY = [*FACES, *([5 * i, 5 * i, 5 * i + 20, 5 * i + 20] for i in range(1, 10))]
ANNOTATIONS = 500
SHARDS = 100
SECONDS = 120  # for one file, on the busiest machine
GROWTH = 300_000  # KB
TOKENS = (
    *(b"null", b"NaN", b"-1", b"1e999", b"1e-999", b"[]", b"{}", b'""', b"true", b"-", b","),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"\r", b"\n", b"<", b"&#0;", b"../", b"%00", b"\\"),
    *(b"9" * 5000, b"[" * 3000, b"<object>" * 2000, b"0 0.5 0.5 0.2 0.2\n" * 2000, b"a.jpg\n"),
)


def damaged(data, random):
    """The same bytes after one to four accidents."""
    data = bytearray(data)
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.randint(0, 40))
        accident = random.randrange(6)
        if accident == 0:
            del data[start:]
        elif accident == 1:
            data[start:end] = random.choice(TOKENS)
        elif accident == 2:
            data[start:start] = random.choice(TOKENS)
        elif accident == 3:
            data[start:end] = random.randbytes(end - start)
        elif accident == 4:
            data += data[start:]
        else:
            del data[start:end]
    return bytes(data)


ODD = (None, True, "", "1", "x", -1, 0, 1e308, 10**400, float("nan"), [], [[]], {}, "../a.jpg")


def odd(node, random):
    """JSON of which one value is another, or is gone."""
    keys = [*node] if isinstance(node, dict) else [*range(len(node))]
    if not keys:
        return random.choice(ODD)
    key = random.choice(keys)
    value = node[key]
    if isinstance(value, dict | list) and random.random() < 0.9:
        node[key] = odd(value, random)
    elif random.random() < 0.2:
        del node[key]
    else:
        node[key] = random.choice((*ODD, value, [value], {"x": value}, str(value)))
    return node


def oddly_said(data, random):
    """COCO that is JSON still, with one to four odd values."""
    content = json.loads(data)
    for _ in range(random.randint(1, 4)):
        content = odd(content, random)
        if not isinstance(content, dict | list):
            break
    return json.dumps(content).encode()


class TooLong(BaseException):
    """What a reader does not catch."""


@pytest.fixture
def watched():
    """Runs something: its result, or the one line it refuses with."""

    def too_long(number, frame):
        raise TooLong

    earlier = signal.signal(signal.SIGALRM, too_long)

    def run(function):
        signal.alarm(SECONDS)
        try:
            return "taken", function()
        except (ValueError, OSError) as error:
            return "refused", str(error)
        finally:
            signal.alarm(0)

    yield run
    signal.signal(signal.SIGALRM, earlier)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
def test_damaged_annotations(kind, photos, tmp_path, watched):  # noqa: F811
    chance, counts = random.Random(kind), collections.Counter()
    whole = WRITERS[kind](tmp_path, MANY)
    if kind == "yolo":
        (whole / "classes.txt").write_text("face\n")
        (whole / "sub" / "b.txt").write_text("0 .5 .5 .2 .4\n")
    paths = [whole] if whole.is_file() else sorted(path for path in whole.rglob("*.*"))
    contents = {path: path.read_bytes() for path in paths}
    out = tmp_path / "out"
    watched(lambda: importing.import_labels(kind, whole, photos, out))  # TensorFlow is loaded
    before = peak()
    for number in range(ANNOTATIONS // len(WRITERS)):
        for path, content in contents.items():
            path.write_bytes(content)
        path = chance.choice(paths)
        accident = oddly_said if kind == "coco" and number % 5 else damaged
        path.write_bytes(accident(contents[path], chance))
        shutil.rmtree(out, ignore_errors=True)
        became, result = watched(lambda: importing.import_labels(kind, whole, photos, out))
        counts[became] += 1
        if became == "taken":
            assert all("\n" not in str(complaint) for complaint in result.complaints)
            assert sum(len(each.boxes) for each in records.read(out)) == (
                result.counts["boxes"] + result.counts["ignored"]
            )
        else:
            assert len(result.splitlines()) == 1
            assert not list(out.glob("shard-*")), result
    print(f"\n{kind}: {dict(counts)}, {peak() - before:,} KB more than before")
    assert peak() - before < GROWTH


@pytest.mark.slow
def test_damaged_shards(tmp_path, watched):
    chance, counts = random.Random(1), collections.Counter()
    path = records.shard_path(tmp_path, 0)
    records.write_shard(path, [photo(f"{index}.jpg") for index in range(3)])
    whole, one = path.read_bytes(), records.serialize(photo())
    list(records.read(tmp_path))
    before = peak()
    for index in range(SHARDS):
        if index % 2:  # with checksums that are right: a poisoned record
            records.write_records(path, [one, damaged(one, chance), one])
        else:
            path.write_bytes(damaged(whole, chance))
        became, result = watched(lambda: list(records.read(tmp_path)))
        counts[became] += 1
        if became == "refused":
            assert path.name in result
        watched(lambda: records.count(tmp_path))
    print(f"\nshards: {dict(counts)}, {peak() - before:,} KB more than before")
    assert peak() - before < GROWTH


def test_damage_is_damage():
    """The accidents change what they meet, and differ."""
    chance = random.Random(0)
    changed = {damaged(b"0 0.5 0.5 0.2 0.2", chance) for _ in range(200)}
    assert len(changed) > 150
    assert np.mean([each != b"0 0.5 0.5 0.2 0.2" for each in changed]) > 0.95
