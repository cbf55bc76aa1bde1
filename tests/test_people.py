"""People as raters: their CSV, the vote, how far they agree, and how much of it is wrong."""

import os
import pathlib
import random
import subprocess
import sys

import numpy as np
import pytest
from simulated_raters import as_ratings, simulate

from distill.__main__ import main
from distill.people.kappa import agreement, cohen, fleiss
from distill.people.label_errors import estimate_errors
from distill.people.majority import majority
from distill.people.report import people_report
from distill.people.voting import disputed, judge, outcome
from ssd.photos.ratings import Rating, read_ratings, write_ratings

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent.parent)}


def vote(said):
    return [majority([*each.values()]) for each in said]


# ---- The files ----


def test_ratings_are_read_as_people_write_them(tmp_path):
    one = tmp_path / "ann.csv"
    one.write_text(
        "\ufeffclass,photo,note\r\n smile ,a.jpg,sure\r\n,b.jpg,\r\nsmile,a.jpg,twice\r\n"
    )
    two = tmp_path / "more.csv"
    two.write_text(
        'photo,box,class,rater\n"a, b.jpg",0.1 0.2 0.3 0.4,face,bob\nc.jpg,"1,2,3,4",face,bob\n'
    )
    assert read_ratings([one, two]) == [
        Rating("a.jpg", None, "smile", "ann"),
        Rating("b.jpg", None, "", "ann"),
        Rating("a, b.jpg", (0.1, 0.2, 0.3, 0.4), "face", "bob"),
        Rating("c.jpg", (1, 2, 3, 4), "face", "bob"),
    ]
    write_ratings(tmp_path / "out.csv", read_ratings([one, two]))
    assert read_ratings([tmp_path / "out.csv"]) == read_ratings([one, two])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("photo,kind\na.jpg,face\n", "found no class"),
        ("", "found no class and no photo"),
        ("photo,class,rater\n,face,ann\n", ":2: wanted the name of a photo"),
        ("photo,class,rater\na.jpg,face,\n", ":2: wanted the name of a rater"),
        ("photo,box,class\na.jpg,1 2 3,face\n", ":2: wanted a box, .* got '1 2 3'"),
        ("photo,box,class\na.jpg,3 2 1 4,face\n", ":2: wanted a box"),
        ("photo,box,class\na.jpg,nan 0 1 1,face\n", ":2: wanted a box"),
        ("photo,box,class\na.jpg,0 0 1 1,\n", ":2: wanted the class of a box"),
        ("photo,class\na.jpg,smile\na.jpg,none\n", ":3: wanted one class .* 'smile' and 'none'"),
        ("photo,class\na.jpg\n", None),
    ],
)
def test_wrong_files_are_refused_by_line(tmp_path, text, wanted):
    path = tmp_path / "ann.csv"
    path.write_text(text)
    if wanted is None:
        assert read_ratings([path]) == [Rating("a.jpg", None, "", "ann")]
        return
    with pytest.raises(ValueError, match=wanted) as refused:
        read_ratings([path])
    assert str(path) in str(refused.value)


def test_what_is_no_csv_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.csv: wanted a file of ratings"):
        read_ratings([tmp_path / "none.csv"])
    (tmp_path / "a.csv").write_bytes(b"photo,class\n\xff\xfe,face\n")
    with pytest.raises(ValueError, match="wanted a CSV file in UTF-8"):
        read_ratings([tmp_path / "a.csv"])


# ---- The vote ----


def whole(photo, **said):
    return [Rating(photo, None, what, who) for who, what in said.items()]


def boxes(photo, who, *found):
    rows = [Rating(photo, box, what, who) for box, what in found]
    return rows or [Rating(photo, None, "", who)]


def test_whole_photos():
    ratings = [
        *whole("both.jpg", ann="smile", bob="smile"),
        *whole("split.jpg", ann="smile", bob="none"),
        *whole("most.jpg", ann="smile", bob="none", cy="smile"),
        *whole("four.jpg", ann="smile", bob="smile", cy="none", dan="none"),
        *whole("unsure.jpg", ann="ignore", bob="ignore"),
        *whole("alone.jpg", ann="smile"),
        *whole("nothing.jpg", ann="", bob=""),
    ]
    judged = judge(ratings)
    assert {each.photo: each.class_name for each in judged} == {
        "both.jpg": "smile",
        "split.jpg": None,
        "most.jpg": "smile",
        "four.jpg": None,
        "unsure.jpg": None,
        "nothing.jpg": "",
    }
    assert outcome(judged) == [
        *whole("both.jpg", vote="smile"),
        *whole("most.jpg", vote="smile"),
        *whole("nothing.jpg", vote=""),
    ]
    names = {rating.photo for rating in disputed(judged)}
    assert names == {"split.jpg", "four.jpg", "unsure.jpg"}
    assert "alone.jpg" in {each.photo for each in judge(ratings, least=1)}


LEFT, NEARLY_LEFT = (0.0, 0.0, 0.5, 0.4), (0.0, 0.0, 0.5, 0.5)
RIGHT = (0.0, 0.5, 0.5, 1.0)


def test_boxes_are_joined_and_what_few_see_is_a_region_to_ignore():
    ratings = [
        *boxes("a.jpg", "ann", (LEFT, "face"), (RIGHT, "face")),
        *boxes("a.jpg", "bob", (NEARLY_LEFT, "face")),
        *boxes("b.jpg", "ann", (LEFT, "face")),
        *boxes("b.jpg", "bob"),
        *boxes("c.jpg", "ann", (LEFT, "face")),
        *boxes("c.jpg", "bob", (LEFT, "smile")),
        *boxes("d.jpg", "ann", (LEFT, "face")),
        *boxes("d.jpg", "bob"),
        *boxes("d.jpg", "cy"),
    ]
    found = outcome(judge(ratings))
    assert [(rating.photo, rating.class_name) for rating in found] == [
        ("a.jpg", "face"), ("a.jpg", "ignore"),
        ("b.jpg", "ignore"), ("c.jpg", "ignore"), ("d.jpg", "ignore"),
    ]  # fmt: skip
    assert found[0].box == pytest.approx((0, 0, 0.5, 0.45))
    assert [each.said for each in judge(ratings)][1] == {"ann": "face", "bob": ""}


def test_the_order_of_rows_changes_nothing():
    mixed = random.Random(0)
    ratings = [
        rating
        for number in range(20)
        for who in ("ann", "bob", "cy")
        for rating in boxes(
            f"{number}.jpg",
            who,
            *[
                ((y, x, y + 0.3, x + 0.3), mixed.choice(["face", "smile"]))
                for y, x in [(mixed.random(), mixed.random()) for _ in range(mixed.randrange(4))]
            ],
        )
    ]
    wanted = judge(ratings)
    for _ in range(3):
        mixed.shuffle(ratings)
        assert judge(ratings) == wanted


# ---- How far they agree ----


def test_kappas_of_the_literature():
    # Cohen (1960), table 1; Fleiss (1971) as on the page about his kappa: 14 raters, 10 subjects.
    table = {("a", "a"): 88, ("a", "b"): 14, ("a", "c"): 18, ("b", "a"): 10, ("b", "b"): 40}
    table |= {("b", "c"): 10, ("c", "a"): 2, ("c", "b"): 6, ("c", "c"): 12}
    said = [{"ann": a, "bob": b} for (a, b), n in table.items() for _ in range(n)]
    assert cohen(said) == pytest.approx(0.492, abs=0.001)
    counts = [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
        *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
    said = [dict(enumerate(np.repeat(range(5), row).tolist())) for row in counts]
    assert fleiss(said) == pytest.approx(0.210, abs=0.0005)


def test_kappa_at_its_ends():
    same = [{"ann": "a", "bob": "a"}, {"ann": "b", "bob": "b"}]
    assert cohen(same) == fleiss(same) == agreement(same) == 1
    assert cohen(same[:1]) == fleiss(same[:1]) == 1
    assert np.isnan([cohen([{"ann": "a"}]), fleiss([{"ann": "a"}]), agreement([])]).all()
    chance = [{"ann": a, "bob": b} for a in "ab" for b in "ab"]
    assert cohen(chance) == 0
    with pytest.raises(ValueError, match="wanted two, got 3: ann, bob, cy"):
        cohen([{"ann": 1, "bob": 1, "cy": 1}])


# ---- How much of it is wrong ----


@pytest.mark.parametrize(
    ("raters", "kept", "wrong", "ratings"), [(2, 0.759, 0.0258, 2), (3, 1, 0.0533, 3)]
)
def test_the_share_of_wrong_labels_is_told_by_agreement_alone(raters, kept, wrong, ratings):
    """Each wrong 14 % of the time: 2.6 % of the 76 % that two agree on, 5.3 % of all by three."""
    for seed in range(5):
        truth, answers = simulate(20_000, raters, seed=seed)
        said = as_ratings(answers)
        agreed = vote(said)
        errors = estimate_errors(said, agreed)
        assert errors.kept == pytest.approx(kept, abs=0.01)
        assert errors.wrong.value == pytest.approx(wrong, abs=0.005)
        assert errors.wrong.value == pytest.approx(really_wrong(truth, agreed), abs=0.005)
        assert errors.wrong.low < wrong + 0.001
        assert errors.wrong.high > wrong - 0.001
        assert list(errors.raters.values()) == pytest.approx([0.14] * raters, abs=0.015)
        assert errors.together == pytest.approx(errors.wrong.value)
        assert sum(map(len, said)) / len(said) == ratings


def really_wrong(truth, agreed):
    kept = [(label, str(true)) for label, true in zip(agreed, truth.tolist(), strict=True) if label]
    return np.mean([label != true for label, true in kept])


@pytest.mark.parametrize(("raters", "seen", "wrong"), [(2, 0.0104, 0.067), (3, 0.0243, 0.0793)])
def test_shared_mistakes_are_not_seen_unless_their_share_is_known(raters, seen, wrong):
    """Errors that correlate at 0.3: raters agree more, and are wrong together more often."""
    truth, answers = simulate(20_000, raters, correlation=0.3, seed=1)
    first, second = (answers[:, rater] != truth for rater in (0, 1))
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.3, abs=0.02)
    said = as_ratings(answers)
    agreed = vote(said)
    assert really_wrong(truth, agreed) == pytest.approx(wrong, abs=0.005)
    assert estimate_errors(said, agreed).wrong.value == pytest.approx(seen, abs=0.003)
    told = estimate_errors(said, agreed, correlation=0.3)
    assert told.wrong.value == pytest.approx(wrong, abs=0.005)


@pytest.mark.parametrize(
    "options",
    [
        {"share": 0.9},
        {"classes": 5, "share": 0.2},
        {"wrong": np.array([0.05, 0.1, 0.3])},
        {"wrong": np.array([0.02, 0.02, 0.1, 0.2, 0.3])},
    ],
    ids=lambda options: str(sorted(options)),
)
def test_other_raters_and_classes(options):
    raters = len(np.atleast_1d(options.get("wrong", [0, 0, 0])))
    truth, answers = simulate(20_000, raters, seed=2, **options)
    said = as_ratings(answers)
    agreed = vote(said)
    errors = estimate_errors(said, agreed)
    assert errors.wrong.value == pytest.approx(really_wrong(truth, agreed), abs=0.005)
    wanted = np.broadcast_to(options.get("wrong", 0.14), raters)
    assert list(errors.raters.values()) == pytest.approx(wanted.tolist(), abs=0.02)
    if options.get("classes") == 5:
        assert errors.together > 2 * errors.wrong.value


def test_two_unlike_raters_are_not_made_better_than_they_are():
    """Their agreement is that of two alike, whose labels are wrong more often."""
    truth, answers = simulate(20_000, 2, wrong=np.array([0.05, 0.23]), seed=3)
    said = as_ratings(answers)
    agreed = vote(said)
    assert estimate_errors(said, agreed).wrong.value > really_wrong(truth, agreed)


def test_a_third_rater_may_see_only_what_two_dispute():
    truth, answers = simulate(20_000, 3, seed=4)
    said = as_ratings(answers)
    for each in said:
        if each["a"] == each["b"]:
            del each["c"]
    agreed = vote(said)
    errors = estimate_errors(said, agreed)
    assert errors.kept == 1
    assert sum(map(len, said)) / len(said) == pytest.approx(2.24, abs=0.01)
    assert errors.wrong.value == pytest.approx(really_wrong(truth, agreed), abs=0.005)


def test_what_tells_nothing_is_refused():
    with pytest.raises(ValueError, match="that two people rated, got none"):
        estimate_errors([{"ann": "a"}], ["a"])
    with pytest.raises(ValueError, match="on which people agree, got none"):
        estimate_errors([{"ann": "a", "bob": "b"}], [None])
    with pytest.raises(ValueError, match="correlation: wanted"):
        estimate_errors([{"ann": "a", "bob": "a"}], ["a"], correlation=1)


# ---- The command ----


def test_the_command_votes_and_says_what_it_is_worth(tmp_path, capsys):
    truth, answers = simulate(5000, 2, seed=0)
    names = ["none", "smile"]
    ratings = [
        Rating(f"{photo:04d}.jpg", None, names[answer], who)
        for photo, row in enumerate(answers.tolist())
        for who, answer in zip(("ann", "bob"), row, strict=True)
    ]
    files = []
    for who in ("ann", "bob"):
        files.append(str(tmp_path / f"{who}.csv"))
        write_ratings(files[-1], [rating for rating in ratings if rating.rater == who])
    out, rest = tmp_path / "both.csv", tmp_path / "rest.csv"
    assert main(["vote", *files, str(out), "--disputed", str(rest)]) == 0
    lines = capsys.readouterr().out.splitlines()
    agree = answers[:, 0] == answers[:, 1]
    assert lines[0] == "5,000 rated, 10,000 ratings by 2 raters"
    assert f"kept {agree.sum():,} ({100 * agree.mean():.1f} %), discarded" in lines[2]
    assert f"{2 / agree.mean():.2f} per kept label" in lines[6]
    assert "which agreement cannot show" in lines[7]
    kept = read_ratings([out])
    assert {rating.rater for rating in kept} == {"vote"}
    assert [rating.photo for rating in kept] == [f"{i:04d}.jpg" for i in np.flatnonzero(agree)]
    assert [names.index(rating.class_name) for rating in kept] == answers[agree, 0].tolist()
    assert {rating.photo for rating in read_ratings([rest])} == {
        f"{i:04d}.jpg" for i in np.flatnonzero(~agree)
    }
    # The dispute settled by a third, who sees no more than that.
    settled = [
        Rating(f"{i:04d}.jpg", None, names[truth[i]], "cy") for i in np.flatnonzero(~agree).tolist()
    ]
    write_ratings(tmp_path / "cy.csv", settled)
    assert main(["vote", *files, str(tmp_path / "cy.csv"), str(out)]) == 0
    assert "kept 5,000 (100.0 %)" in capsys.readouterr().out


def test_what_people_said_is_not_written_over(tmp_path, capsys):
    ann, bob = tmp_path / "ann.csv", tmp_path / "bob.csv"
    for path in (ann, bob):
        path.write_text("photo,class\na.jpg,smile\n")
    before = bob.read_text()
    assert main(["vote", str(ann), str(bob)]) == 1  # OUT was forgotten
    assert "bob.csv: wanted a new file to write" in capsys.readouterr().err
    out = tmp_path / "out.csv"
    assert main(["vote", str(ann), str(bob), str(out), "--disputed", str(ann)]) == 1
    assert not out.exists()
    assert bob.read_text() == before
    assert main(["vote", str(ann), str(bob), str(out), "--least", "3"]) == 1
    assert (
        "wanted photos that 3 people rated (--least), none of 1 is one" in capsys.readouterr().err
    )


def test_the_vote_asks_for_nothing_heavy(tmp_path):
    """As people run it who have no more than `pip install .`."""
    for who in ("ann", "bob"):
        (tmp_path / f"{who}.csv").write_text("photo,class\na.jpg,smile\n")
    script = (
        "import sys; from distill.__main__ import main; "
        "status = main(['vote', 'ann.csv', 'bob.csv', 'out.csv']); "
        "sys.exit(status or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode == 0


def test_the_report_of_one_rater_claims_nothing():
    text = people_report(judge(whole("a.jpg", ann="smile"), least=1))
    assert text == "1 rated, 1 ratings by 1 rater\nkept 1 (100.0 %), discarded 0 (0.0 %)"
