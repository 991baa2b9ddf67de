"""The demo: what a first-time user sees, and that nothing of it stays."""

import os
import signal
import subprocess
import sys

import pytest

from conftest import REPO
from pc import wait_for


def start(directory, programs, *words):
    """demo.py with its files in `directory`."""
    environment = dict(os.environ, NAVETTE_BIN=str(programs), TMPDIR=str(directory), PYTHONUNBUFFERED="1")
    return subprocess.Popen([sys.executable, str(REPO / "tools" / "demo.d" / "demo.py"), *words], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            # who runs the tests in the background may have had Ctrl-C ignored
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def read_until(demo, words):
    seen = ""
    while words not in seen:
        line = demo.stdout.readline()
        assert line, seen
        seen += line
    return seen


def test_the_demo_shows_a_sale_on_both_pcs_and_leaves_nothing(directory, programs):
    demo = start(directory, programs)
    text, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, text
    assert text.count("has invoice id") == 6
    assert "CAISSE01 is in step with COMPTA01." in text and "COMPTA01 is in step with CAISSE01." in text
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("how, words", [
    (signal.SIGINT, "1  Two PCs"), (signal.SIGTERM, "2  An agent"), (signal.SIGINT, "3  COMPTA01 joins"),
    (signal.SIGTERM, "5  Both sell"), (signal.SIGINT, "6  COMPTA01 is cut")])
def test_the_demo_can_be_ended_at_any_moment(directory, programs, how, words):
    demo = start(directory, programs)
    read_until(demo, words)
    demo.send_signal(how)
    text, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130 and text.endswith("ended\n"), text
    assert list(directory.iterdir()) == []


def test_an_agent_that_the_user_started_again_is_stopped_with_the_demo(directory, programs):
    demo = start(directory, programs, "--keep")
    text = read_until(demo, "goes away with Ctrl-C")
    home = [word for word in text.split() if word.endswith("compta01/home")][-1]
    subprocess.run([str(programs / "agent-cli"), "--home", home, "stop"], check=True, stdout=subprocess.DEVNULL)
    own = subprocess.Popen([str(programs / "navette-agent"), "--home", home], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: subprocess.run([str(programs / "agent-cli"), "--home", home, "status"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 3, "it runs")
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
        assert own.wait(30) == 0
        assert list(directory.iterdir()) == []
    finally:
        own.kill()
        own.wait()
