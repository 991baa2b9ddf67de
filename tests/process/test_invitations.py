"""One token, one PC: whoever else comes, however many at once, with however much of it, and wherever the power goes."""

import os
import shutil
import socket
import struct
import threading
import time

import msgpack
import pytest

import peer as peers
import wire
from network import run
from pc import wait_for
from test_interop import inside
from test_joining import alone, refused

GUESTS, DOORS = 1000, 64  # so many shake hands with an agent at once, and no more
FRAME_2 = 2 + 192


@pytest.fixture
def lan(shop):
    return shop.network.lan()


@pytest.fixture
def a(shop, lan):
    return shop.founder("A", lan)


@pytest.fixture
def space(shop, lan):
    return shop.network.host("GUESTS", lan)


def door_of(token, site, address, source=None):
    return wire.Channel(address, site, wire.INVITATION, token.psk, token.id + bytes(8), source)


def answer_to(token, site, address, join=None, source=None, first=lambda: None):
    """What a JOIN brings: a message's fields, or None when the door closes without a word."""
    channel = door_of(token, site, address, source)
    try:
        first()
        channel.send(join(channel) if join else token.join(site, "GUEST", channel.session))
        return wire.unpack(channel.receive(20))
    except (wire.Refused, OSError):
        return None
    finally:
        channel.close()


def without_token(site):
    """A JOIN by one who could open the channel and has not the token: its proof is made with another key."""
    def join(channel):
        signed = channel.session + site.signing + site.exchange + b"GUEST"
        return wire.pack([wire.JOIN, "GUEST", site.signing, site.exchange, site.sign("navette join 1", signed)])
    return join


def up(pc):
    """It runs, and lets guests in: not before its ledger is open."""
    pc.start()
    wait_for(lambda: pc.status()["database"]["state"] == "ready", "the ledger is open")


def codes(pc):
    return [w["code"] for w in pc.status()["warnings"]]


class Crowd:
    """GUESTS different PCs, DOORS of them at the door at any time, from as many addresses; each comes back until it has its
    answer. The first DOORS say JOIN when all of them have shaken hands, and not before."""

    def __init__(self, space, token, lan):
        self.space, self.token, self.address = space, token, token.addresses[0]
        self.lock, self.left, self.answers, self.errors = threading.Lock(), GUESTS, {}, []
        self.all_there, self.at_once = threading.Barrier(DOORS, timeout=60), 0
        self.end = time.monotonic() + 120
        self.sources = [("%s.%d" % (lan.prefix, 100 + n), 0) for n in range(DOORS)]
        for address, _ in self.sources:
            run("ip", "-n", space, "addr", "add", address + "/24", "dev", "eth0")

    def _next(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def _answer(self, site, source, wait):
        """None: come back. `wait` gets empty when all have shaken hands."""
        with inside(self.space):
            was_first = bool(wait)
            try:
                answer = answer_to(self.token, site, self.address, None, source, lambda: wait and wait.pop()())
            except (wire.Refused, OSError):
                return None  # the door was crowded
        with self.lock:
            self.at_once += answer is not None and was_first and not wait
        return answer

    def _guest(self, source):
        wait = [self.all_there.wait]
        try:
            while self._next():
                site, answer = wire.Site(), None
                while answer is None:
                    assert time.monotonic() < self.end, "no answer"
                    answer = self._answer(site, source, wait)
                with self.lock:
                    self.answers[site] = answer
        except Exception as error:  # a thread's failure is the test's
            self.errors.append(error)
            raise

    def run(self):
        threads = [threading.Thread(target=self._guest, args=(source,)) for source in self.sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.errors == []
        return self.answers


def test_of_a_thousand_who_come_at_once_with_one_token_one_gets_in(a, space, lan):
    crowd = Crowd(space, wire.Token(a.invite()), lan)
    answers = crowd.run()
    print("%d asked at once" % crowd.at_once)
    assert len(answers) == GUESTS
    assert crowd.at_once >= DOORS // 2
    welcome = [site for site, answer in answers.items() if answer[0] == wire.WELCOME]
    assert len(welcome) == 1
    assert all(answer[0] == wire.SORRY and "used" in answer[1] for site, answer in answers.items() if site not in welcome)
    assert [m["site"] for m in a.ask("roster")["members"]][1:] == [welcome[0].id.hex()]


def test_who_was_welcomed_may_ask_again_after_a_power_cut_and_nobody_else(a, space):
    token, first, second = wire.Token(a.invite()), wire.Site(), wire.Site()
    with inside(space):
        assert answer_to(token, first, token.addresses[0])[0] == wire.WELCOME
        a.kill()
        up(a)
        assert answer_to(token, second, token.addresses[0])[0] == wire.SORRY
        assert answer_to(token, first, token.addresses[0])[0] == wire.WELCOME
    assert len(a.ask("roster")["members"]) == 2


def test_a_token_is_used_up_before_its_guest_is_enrolled(a, space):
    """Cut off between the two, the token is good for that guest and for nobody else."""
    token, first, second = wire.Token(a.invite()), wire.Site(), wire.Site()
    a.stop()
    before = {name: (a.home / name).read_bytes() for name in ("roster", "ledger.db")}
    up(a)
    with inside(space):
        assert answer_to(token, first, token.addresses[0])[0] == wire.WELCOME
        a.kill()
        for path in a.home.glob("ledger.db-*"):
            path.unlink()
        for name, data in before.items():  # the enrolment was not written: all but `invites` is as before
            (a.home / name).write_bytes(data)
        up(a)
        assert len(a.ask("roster")["members"]) == 1
        assert answer_to(token, second, token.addresses[0])[0] == wire.SORRY
        assert answer_to(token, first, token.addresses[0])[0] == wire.WELCOME
    assert len(a.ask("roster")["members"]) == 2


def test_a_token_is_burned_after_five_tries_without_it(shop, lan, a, space):
    text = a.invite()
    token, thief = wire.Token(text), wire.Site()
    with inside(space):
        for n in range(5):
            assert "invitation-burned" not in codes(a)
            assert answer_to(token, thief, token.addresses[0], without_token(thief)) is None
            if n == 2:
                a.kill()  # what was counted stays counted
                up(a)
        wait_for(lambda: "invitation-burned" in codes(a), "the warning")
        a.stop()
        up(a)
        wait_for(lambda: "invitation-burned" in codes(a), "the warning, after a restart")
        answer = answer_to(token, wire.Site(), token.addresses[0])
    assert answer[0] == wire.SORRY and "others have tried" in answer[1]
    assert [v["state"] for v in a.ask("roster")["invitations"]] == ["withdrawn"]
    refused(alone(shop, "B", lan), text, "others have tried")


def raw(address, data):
    """All that comes back, until the agent closes."""
    got = b""
    with socket.create_connection(address, timeout=10) as s:
        try:
            s.sendall(data)
            while piece := s.recv(65536):
                got += piece
        except ConnectionError:
            pass
    return got


class Recorder:
    """A socket that remembers what was said."""

    def __init__(self, real):
        self.real, self.said = real, b""

    def sendall(self, data):
        self.said += data
        self.real.sendall(data)

    def __getattr__(self, name):
        return getattr(self.real, name)


def recorded_frame_1(token, address, monkeypatch):
    """What a stranger hears of a guest that came and went: the handshake's first frame, and its third."""
    made = []

    def connect(*words, **more):
        made.append(Recorder(create(*words, **more)))
        return made[0]
    create = socket.create_connection
    with monkeypatch.context() as patch:
        patch.setattr(socket, "create_connection", connect)
        door_of(token, wire.Site(), address).close()
    return made[0].said[:50], made[0].said[50:]


def test_a_stranger_burns_nobodys_token(shop, lan, a, space, monkeypatch):
    """Only who opens the channel has tried: not garbage, and not what was recorded of a guest."""
    text = a.invite()
    token = wire.Token(text)
    with inside(space):
        first, third = recorded_frame_1(token, token.addresses[0], monkeypatch)
        for _ in range(20):
            assert raw(token.addresses[0], struct.pack(">H", 48) + os.urandom(48)) == b""
            assert raw(token.addresses[0], first + third) == b""  # played back
        a.stop()
        up(a)  # what it has answered is forgotten
        assert len(raw(token.addresses[0], first + third)) in (0, FRAME_2)
        for _ in range(5):
            assert raw(token.addresses[0], first + struct.pack(">H", 160) + os.urandom(160)) == b""
    assert codes(a) == []
    alone(shop, "B", lan).cli("join", text)
    assert len(a.ask("roster")["members"]) == 2


def states_of(pc):
    return {v["id"]: v["state"] for v in pc.ask("roster")["invitations"]}


def bytes_for(token, site, address):
    """How many bytes a guest gets who can open the channel and has not the token."""
    channel = door_of(token, site, address)
    channel.send(without_token(site)(channel))
    got = b""
    try:
        while piece := channel.socket.recv(65536):
            got += piece
    except ConnectionError:
        pass
    return len(got)


def test_without_the_token_nothing_tells_what_became_of_it(a, space):
    """Open, used, expired, withdrawn, burned: the same bytes; and to one who knows nothing, none."""
    tokens = {name: wire.Token(a.invite()) for name in ("open", "used", "withdrawn", "burned")}
    tokens["expired"] = wire.Token(a.ask("invite", "--ttl", "1s")["token"])
    address, thief = tokens["open"].addresses[0], wire.Site()
    with inside(space):
        assert answer_to(tokens["used"], wire.Site(), address)[0] == wire.WELCOME
        a.cli("invite", "--cancel", tokens["withdrawn"].id.hex())
        for _ in range(5):
            answer_to(tokens["burned"], thief, address, without_token(thief))
        wait_for(lambda: states_of(a)[tokens["expired"].id.hex()] == "over", "its end")
        states = states_of(a)
        assert states[tokens["open"].id.hex()] == "open" and states[tokens["used"].id.hex()] == "used"
        assert states[tokens["burned"].id.hex()] == states[tokens["withdrawn"].id.hex()] == "withdrawn"
        assert {name: bytes_for(token, thief, address) for name, token in tokens.items()} == dict.fromkeys(tokens, 0)
        assert raw(address, struct.pack(">H", 48) + os.urandom(48)) == b""


def test_what_the_maker_keeps_of_a_token_lets_nobody_in(a, space):
    """A copy of the home's file `invites`: the channel opens, and that is all."""
    token, thief = wire.Token(a.invite()), wire.Site()
    (kept,) = msgpack.unpackb((a.home / "invites").read_bytes())
    assert token.id == kept[0] and token.psk == kept[1]
    secret = a.home / "invites"
    assert os.stat(secret).st_mode & 0o077 == 0
    for value in kept[:3]:  # none of it is what makes the proof
        seed = wire.derive(value[:16].ljust(32, b"\0"), "navette invite key 1")
        assert peers.bindings.crypto_sign_seed_keypair(seed)[0] != kept[2]
    with inside(space):
        assert answer_to(token, thief, token.addresses[0], without_token(thief)) is None
        channel = door_of(token, thief, token.addresses[0])
        proof = wire.unpack(token.join(thief, "GUEST", bytes(32)))[4]  # of another channel
        channel.send(wire.pack([wire.JOIN, "GUEST", thief.signing, thief.exchange, proof]))
        with pytest.raises((wire.Refused, OSError)):
            channel.receive(10)
        channel.close()
    assert len(a.ask("roster")["members"]) == 1


def test_a_token_is_shown_to_its_maker_only(shop, lan, a):
    """Who has stolen what the maker keeps, and stands where the maker should be, gets no guest."""
    thief, b = shop.founder("X", lan, goods=False), alone(shop, "B", lan)
    text = a.invite()
    a.kill()
    thief.kill()
    shutil.copy(a.home / "invites", thief.home / "invites")
    thief.start()
    refused(b, text, "no answer")
    assert len(thief.ask("roster")["members"]) == 1
    thief.kill()
    a.start()
    b.cli("join", text)
    shop.wait_equal(a, b)


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_tokens_kept_where_others_can_read_open_nothing(a, space, mode):
    token = wire.Token(a.invite())
    a.stop()
    (a.home / "invites").chmod(mode)
    up(a)
    with inside(space), pytest.raises((wire.Refused, OSError)):
        door_of(token, wire.Site(), token.addresses[0])
