import pathlib
import subprocess

from ssd.training.checkout import commit


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_checkout_names_its_commit_and_says_whether_it_was_changed(tmp_path):
    git(tmp_path, "init")
    file = tmp_path / "file"
    file.write_text("as committed")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--message", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").touch()
    assert commit(tmp_path) == head
    file.write_text("changed")
    assert commit(tmp_path) == head + "+"


def test_a_copy_inside_another_checkout_has_no_commit(tmp_path):
    git(tmp_path, "init")
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert commit(inside) is None
    assert commit(pathlib.Path(tmp_path, "missing")) is None


def test_where_there_is_no_git_there_is_no_commit(tmp_path, monkeypatch):
    git(tmp_path, "init")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit(tmp_path) is None
