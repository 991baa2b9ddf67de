"""Networks of the kernel's own making: every PC a namespace, every LAN a bridge in one namespace that plays the switch.

    lan = network.lan()              10.77.1.0/24
    a = network.pc("CAISSE01", lan)  eth0 = 10.77.1.1
    network.pull(a, lan)             the cable: the PC sees its carrier go
    network.deafen(a, lan)           the switch drops its frames: the PC sees nothing, silence only"""

import itertools
import os
import shutil
import subprocess

TAG = os.environ.get("NAVETTE_TEST_TAG", "nvt%d" % os.getpid()) + os.environ.get("PYTEST_XDIST_WORKER", "")
NUMBERS = itertools.count(1)


def why_not():
    """Why namespaces cannot be had here, or None."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    for program in ("ip", "bridge", "nsenter"):
        if shutil.which(program) is None:
            return "needs the program %s" % program
    probe = subprocess.run(["ip", "netns", "add", TAG + "probe"], capture_output=True, text=True)
    if probe.returncode != 0:
        return "network namespaces are not allowed here: %s" % probe.stderr.strip()
    subprocess.run(["ip", "netns", "del", TAG + "probe"], check=True)
    return None


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, "%s: %s" % (" ".join(words), done.stderr.strip())
    return done.stdout


class Lan:
    def __init__(self, number):
        self.bridge = "br%d" % number
        self.prefix = "10.77.%d" % number
        self.hosts = itertools.count(1)


class Network:
    def __init__(self):
        self.tag = "%s-%d" % (TAG, next(NUMBERS))
        self.switch = self.tag + "-switch"
        self.spaces = []
        self.lans = []
        self.plugs = {}  # (namespace, lan) -> (port on the switch, address)
        self.space(self.switch)

    def space(self, name):
        run("ip", "netns", "add", name)
        self.spaces.append(name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def lan(self):
        lan = Lan(len(self.lans) + 1)
        self.lans.append(lan)
        run("ip", "-n", self.switch, "link", "add", lan.bridge, "type", "bridge", "stp_state", "0",
            "forward_delay", "0", "mcast_snooping", "0")
        run("ip", "-n", self.switch, "link", "set", lan.bridge, "up")
        return lan

    def host(self, name, *lans):
        """A namespace plugged into the given LANs, in this order: eth0, eth1..."""
        space = self.space("%s-%s" % (self.tag, name))
        for index, lan in enumerate(lans):
            port, address = "p%d" % (len(self.plugs) + 1), "%s.%d" % (lan.prefix, next(lan.hosts))
            nic = "eth%d" % index
            run("ip", "-n", self.switch, "link", "add", port, "type", "veth", "peer", "name", nic, "netns", space)
            run("ip", "-n", self.switch, "link", "set", port, "master", lan.bridge, "up")
            run("ip", "-n", space, "addr", "add", address + "/24", "brd", "+", "dev", nic)
            run("ip", "-n", space, "link", "set", nic, "up")
            self.plugs[space, lan] = (port, address)
        return space

    def inside(self, space):
        """The words that run a command in that namespace."""
        return ["nsenter", "--net=/run/netns/" + space]

    def address(self, space, lan):
        return self.plugs[space, lan][1]

    def pull(self, space, lan):
        run("ip", "-n", self.switch, "link", "set", self.plugs[space, lan][0], "down")

    def plug(self, space, lan):
        run("ip", "-n", self.switch, "link", "set", self.plugs[space, lan][0], "up")

    def deafen(self, space, lan):
        run("bridge", "-n", self.switch, "link", "set", "dev", self.plugs[space, lan][0], "state", "0")

    def hear(self, space, lan):
        run("bridge", "-n", self.switch, "link", "set", "dev", self.plugs[space, lan][0], "state", "3")

    def close(self):
        for space in reversed(self.spaces):
            subprocess.run(["ip", "netns", "del", space], capture_output=True)
