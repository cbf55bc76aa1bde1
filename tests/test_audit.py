"""An audit: what is drawn, what answers say of all labels, and how often that is true."""

import json

import numpy as np
import pytest
from test_review import few, photo, write_labels

from distill.__main__ import main
from distill.audit.auditing import draw
from distill.audit.estimates import Estimate, part_of, rare_sum, scaled, share, total
from distill.audit.files import Answers, read_answers, write_sample
from distill.audit.report import combine_answers, report, threshold_lines
from distill.audit.sampling import draw_by_score
from distill.review.marks import apply_marks


def test_a_sample_is_spread_over_the_scores():
    random = np.random.default_rng(0)
    scores = random.random(1003).round(2)
    for number in (1, 10, 300, 1002):
        drawn = draw_by_score(scores, number, np.random.default_rng(number))
        assert len(set(drawn.tolist())) == number
        ranks = np.argsort(np.argsort(scores, kind="stable"))[drawn]
        edges = np.arange(number + 1) * 1003 // number
        assert np.all((edges[:-1] <= ranks) & (ranks < edges[1:]))
    assert sorted(draw_by_score(scores, 2000, random).tolist()) == list(range(1003))
    assert len(draw_by_score([], 5, random)) == 0


def test_all_are_drawn_as_often():
    scores = np.linspace(0, 1, 30)
    counts = np.zeros(30)
    for seed in range(2000):
        counts[draw_by_score(scores, 10, np.random.default_rng(seed))] += 1
    assert np.abs(counts / 2000 - 1 / 3).max() < 0.05


def test_three_samples_are_drawn_and_none_of_an_ignored_photo(tmp_path):
    labels = few(tmp_path / "labels")
    sample = draw(labels)
    assert sample["population"] == {"labels": 5, "regions": 2, "empty": 2}
    kinds = [(item["kind"], item["photo"]) for item in sample["items"]]
    assert kinds.count(("label", "b/two.jpg")) == 2
    assert ("region", "disputed.jpg") in kinds
    assert {name for kind, name in kinds if kind == "empty"} == {"a/none.jpg", "b/unsure.jpg"}
    # A score over --label that is no label lost a vote: no threshold makes it one.
    table = {score: (above, learned) for score, above, learned in sample["table"]}
    assert table == {
        **{0.7: (5, 1), 0.8: (5, 0), 0.9: (5, 0), 0.95: (5, 0), 0.98: (3, 0), 0.99: (2, 0)},
        **{0.995: (2, 0), 0.998: (1, 0), 0.999: (1, 0)},
    }
    assert draw(labels) == sample
    assert draw(labels, seed=1)["id"] != sample["id"]
    file = tmp_path / "marks.json"
    file.write_text(json.dumps({"marks": [{"photo": "b/two.jpg", "ignore": True}]}))
    apply_marks(labels, file)
    again = draw(labels)
    assert again["population"] == {"labels": 3, "regions": 2, "empty": 2}
    assert "b/two.jpg" not in {item["photo"] for item in again["items"]}


def test_what_cannot_be_drawn_is_refused(tmp_path):
    labels = write_labels(tmp_path / "none", [[photo("a.jpg")]])
    with pytest.raises(ValueError, match="wanted labels to draw from, there is none"):
        draw(labels)
    one = photo("a.jpg", [[5, 5, 50, 50]], [1], [0.99])
    twice = write_labels(tmp_path / "twice", [[one], [one]])
    with pytest.raises(ValueError, match="name of more than one photo"):
        draw(twice)
    with pytest.raises(ValueError, match="number: wanted 1 or more"):
        draw(labels, number=0)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("[]", "as the audit's page saves it"),
        ("no JSON", "as the audit's page saves it"),
        ('{"answers": []}', "as the audit's page saves it"),
        ('{"audit": "../../audit", "answers": []}', "as the audit's page saves it"),
        ('{"audit": "ID", "answers": [{"photo": "a/none.jpg"}]}', "wanted a photo, and missed"),
        ('{"audit": "ID", "answers": [{"photo": "a/none.jpg", "missed": -1}]}', "wanted a photo"),
        (
            '{"audit": "ID", "answers": [{"photo": "a/none.jpg", "missed": 1, "box": [1]}]}',
            "wanted",
        ),
        ('{"audit": "ID", "answers": [{"photo": "new.jpg", "missed": 1}]}', "what was not drawn"),
    ],
)
def test_wrong_answers_are_refused(tmp_path, content, wanted):
    labels = few(tmp_path / "labels")
    sample = draw(labels)
    write_sample(labels, sample)
    file = tmp_path / "answers.json"
    file.write_text(content.replace("ID", sample["id"]))
    with pytest.raises(ValueError, match=wanted) as refused:
        read_answers(labels, [file])
    assert str(file) in str(refused.value)


def test_answers_find_their_sample(tmp_path):
    labels = few(tmp_path / "labels")
    samples = [draw(labels, seed=seed) for seed in range(2)]
    files = [tmp_path / f"{seed}.json" for seed in range(2)]
    for sample, file in zip(samples, files, strict=True):
        write_sample(labels, sample)
        file.write_text(json.dumps({"audit": sample["id"], "answers": []}))
    for sample, file in zip(samples, files, strict=True):
        assert read_answers(labels, [file, file]) == (sample, [Answers({}, {})] * 2)
    with pytest.raises(ValueError, match=r"1.json: wanted answers about the sample of .*0.json"):
        read_answers(labels, files)
    with pytest.raises(FileNotFoundError, match="was not drawn from it"):
        read_answers(tmp_path, files[:1])


def test_the_command_draws_and_reports(tmp_path, capsys):
    labels = few(tmp_path / "labels")
    assert main(["audit", str(labels), "-n", "3", "--raters", "2"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "3 labels, 1 regions to ignore and 1 photos without a label to judge"
    assert out[1:3] == [f"on: {labels / f'audit-{i}.html'}" for i in (1, 2)]
    assert out[3].endswith(f"audit {labels} --answers answers-1.json answers-2.json")
    sample = draw(labels, number=3)
    files = []
    for rater in range(2):
        answers = [
            {"photo": item["photo"], "missed": 0}
            | ({"box": item["box"], "right": True} if "box" in item else {})
            for item in sample["items"]
        ]
        files.append(str(tmp_path / f"{rater}.json"))
        (tmp_path / f"{rater}.json").write_text(
            json.dumps({"audit": sample["id"], "answers": answers})
        )
    assert main(["audit", str(labels), "--answers", *files]) == 0
    out = capsys.readouterr().out
    assert "precision 100.0 % (36.8 to 100.0) of 5 labels" in out
    assert "kappa 1.00" in out
    for wrong, said in (
        (["--answers", files[0], "--raters", "2"], "--raters: wanted 2 files, got 1"),
        (["--answers", files[0], "--seed", "1"], "wanted --answers, or --number and --seed"),
        (["-n", "0"], "wanted a whole number of 1 or more"),
    ):
        assert main(["audit", str(labels), *wrong]) == 2
        assert said in capsys.readouterr().err


# ---- What answers say of all labels ----


class Folder:
    """Photos of which all is known: which boxes are right, how many faces have none."""

    def __init__(self, random, photos=6000, *, errors=0.06, missed=0.1, crowded=1.0):
        """`crowded`: how many faces a photo on which some are missed lacks on average."""
        self.items, self.truth, self.missed = [], [], {}
        self.label = 0.95
        for number in range(photos):
            name = f"{number}.jpg"
            labels = random.poisson(1.5)
            some = random.random() < missed / crowded
            self.missed[name] = random.geometric(1 / crowded) if some else 0
            if not labels:
                self.items.append({"kind": "empty", "photo": name})
                self.truth.append(False)
            # The surer a label, the less often it is wrong.
            for score in 1 - 0.05 * random.random(labels) ** 2:
                self._box("label", name, score, random.random() > errors * 60 * (1 - score), labels)
            for score in random.uniform(0.6, 0.95, random.poisson(0.4)):
                self._box("region", name, score, random.random() < 2 * (score - 0.55), labels)
        self.kinds = np.array([item["kind"] for item in self.items])
        self.scores = np.array([item.get("score", 0) for item in self.items], np.float32)
        self.truth = np.array(self.truth)

    def _box(self, kind, name, score, right, labels):
        item = {"kind": kind, "photo": name, "score": float(score), "labels": labels}
        self.items.append(item)
        self.truth.append(bool(right))

    def sample(self, random, number):
        places = []
        for kind, wanted in (("label", number), ("region", number // 4), ("empty", number // 4)):
            found = np.flatnonzero(self.kinds == kind)
            places += found[draw_by_score(self.scores[found], wanted, random)].tolist()
        items = [self.items[place] for place in places]
        counts = {kind: int(np.sum(self.kinds == kind)) for kind in ("label", "region", "empty")}
        sample = {
            "items": items,
            "label": self.label,
            "table": [[score, *self.learned(score)] for score in (0.7, 0.95, 0.98)],
            "population": dict(zip(("labels", "regions", "empty"), counts.values(), strict=True)),
        }
        right = {
            place: bool(self.truth[number])
            for place, number in enumerate(places)
            if items[place]["kind"] != "empty"
        }
        return sample, Answers(right, {item["photo"]: self.missed[item["photo"]] for item in items})

    def learned(self, score):
        above = self.scores >= np.float32(score)
        return [int(np.sum(above & (self.kinds == kind))) for kind in ("label", "region")]

    def precision_and_recall(self, score):
        boxes = self.kinds != "empty"
        is_label = boxes & (self.scores >= np.float32(score))
        right = np.sum(self.truth & is_label)
        faces = np.sum(self.truth & boxes) + sum(self.missed.values())
        return right / np.sum(is_label), right / faces


SCORES = (0.95, 0.7, 0.95, 0.98)  # the first for the labels as they are


def test_all_judged_give_the_truth_itself():
    folder = Folder(np.random.default_rng(0), photos=300)
    sample, answers = folder.sample(np.random.default_rng(0), 10_000)
    for line, score in zip(threshold_lines(sample, answers), SCORES, strict=True):
        precision, recall = folder.precision_and_recall(score)
        assert line.precision.value == pytest.approx(precision)
        assert line.recall.value == pytest.approx(recall)
        assert line.labels == sum(folder.learned(score))


@pytest.mark.parametrize(
    "folder", [{}, {"errors": 0.01, "missed": 0.02}, {"missed": 0.3, "crowded": 4}], ids=str
)
def test_estimates_are_without_bias_and_their_intervals_cover_the_truth(folder):
    folder = Folder(np.random.default_rng(1), **folder)
    truth = [folder.precision_and_recall(score) for score in SCORES]
    errors, covered = [], []
    for seed in range(300):
        lines = threshold_lines(*folder.sample(np.random.default_rng(seed), 300))
        both = [(line.precision, line.recall) for line in lines]
        errors.append(np.array([[e.value for e in pair] for pair in both]) - truth)
        covered.append(
            [
                [e.low <= true <= e.high for e, true in zip(pair, of, strict=True)]
                for pair, of in zip(both, truth, strict=True)
            ]
        )
    spread = np.std(errors, axis=0) / np.sqrt(len(errors))
    assert np.all(np.abs(np.mean(errors, axis=0)) < 4 * spread + 0.002)
    assert np.all(np.mean(covered, axis=0) >= 0.93)


def test_two_raters_count_where_they_agree():
    items = [{"kind": "label", "photo": f"{i}.jpg", "score": 0.99, "labels": 1} for i in range(20)]
    population = {"labels": 20, "regions": 0, "empty": 0}
    sample = {"items": items, "label": 0.95, "table": [], "population": population}
    ann = Answers({i: i > 3 for i in range(20)}, {f"{i}.jpg": 2 for i in range(20)})
    bob = Answers({i: i > 1 for i in range(19)}, {f"{i}.jpg": 0 for i in range(19)})
    both = combine_answers(sample, [ann, bob])
    assert both.right == {i: i > 3 for i in range(19) if i not in (2, 3)}
    assert both.missed == {f"{i}.jpg": 1 for i in range(19)}
    text = report(sample, [ann, bob])
    # Agreement 17 of 19; by chance (15 * 17 + 4 * 2) / 19².
    kappa = (17 / 19 - 263 / 361) / (1 - 263 / 361)
    assert f"2 raters agree on 89.5 %, Cohen's kappa {kappa:.2f}" in text
    assert "2 of 19 boxes discarded" in text
    assert "judged: 17 of 20 labels" in text
    assert f"precision {share(15, 17)} of 20 labels" in text
    assert f"by rater 1 alone {share(16, 20)}" in text
    cy = Answers(dict.fromkeys(range(20), True), {})
    assert combine_answers(sample, [ann, bob, cy]).right == {i: i > 1 for i in range(19)}
    assert "3 raters agree on" in report(sample, [ann, bob, cy])
    assert "Fleiss' kappa" in report(sample, [ann, bob, cy])


def test_a_region_that_is_judged_says_nothing_of_missed_faces(tmp_path):
    """Also where its photo has no label, and is in the sample for that reason as well."""
    labels = few(tmp_path / "labels")
    sample = draw(labels)
    write_sample(labels, sample)
    file = tmp_path / "answers.json"
    item = next(i for i in sample["items"] if (i["kind"], i["photo"]) == ("region", "b/unsure.jpg"))
    answer = {"photo": item["photo"], "box": item["box"], "right": True}
    file.write_text(json.dumps({"audit": sample["id"], "answers": [answer]}))
    [answers] = read_answers(labels, [file])[1]
    assert (list(answers.right.values()), answers.missed) == ([True], {})


def test_what_was_not_judged_is_not_claimed():
    items = [
        {"kind": "label", "photo": "a.jpg", "score": 0.99, "labels": 1},
        {"kind": "empty", "photo": "b.jpg"},
    ]
    population = {"labels": 10, "regions": 0, "empty": 10}
    sample = {"items": items, "label": 0.95, "table": [], "population": population}
    text = report(sample, [Answers({0: True}, {"a.jpg": 0})])
    assert "0 of 1 photos without a label" in text
    assert "recall: judge photos without a label" in text
    with pytest.raises(ValueError, match="wanted a label that is judged"):
        report(sample, [Answers({}, {"b.jpg": 0})])


# ---- Sums and shares of estimates ----


def test_estimates_add_and_divide():
    halves = [share(50, 100), share(50, 100)]
    together = scaled(total(halves), 0.5)
    assert together.value == 0.5
    assert together.high - 0.5 == pytest.approx((halves[0].high - 0.5) / np.sqrt(2))
    assert total([]) == Estimate(0, 0, 0)
    assert total([scaled(share(3, 9), 0)]) == Estimate(0, 0, 0)
    assert part_of(Estimate(0, 0, 0), Estimate(0, 0, 0)) == Estimate(0.5, 0, 1)
    none = part_of(Estimate(10, 9, 11), Estimate(0, 0, 4))
    assert none.value == 1.0
    assert none.high == 1.0
    assert 0.7 < none.low < 0.75


def test_a_sum_of_nothing_seen_has_a_limit_above():
    assert rare_sum([0, 0, 0], greatest=2)[:2] == (0, 0)
    assert rare_sum([0, 0, 0], greatest=2).high == pytest.approx(2 * 3.689, rel=0.01)  # Poisson's
    ten = rare_sum([1] * 10, greatest=1)
    assert (ten.low, ten.high) == pytest.approx((4.80, 18.39), abs=0.05)
