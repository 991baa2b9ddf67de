"""Members and guests that ask for more than is decent: each gets what is his, and nobody waits for it."""

import select
import socket

import pytest

import peer as peers
import wire
from hostile import Crowd
from test_interop import Guest, find, has_all, inside, lan, a  # noqa: F401  (fixtures)

pytestmark = pytest.mark.alone


def kinds_until_pong(peer, seconds=20):
    """The kinds of messages that come before the answer to a PING said now."""
    peer._send(peers.PING, 77, 1)
    kinds = []
    while True:
        message = peer.channel.receive(seconds)
        assert message is not None, "no PONG; came: %r" % kinds
        kind, *fields = wire.unpack(message)
        kinds.append(kind)
        if kind == peers.PONG and fields[0] == 77:
            return kinds


def test_keys_are_not_told_again_and_again(shop, lan, a):  # noqa: F811
    peer = Guest(shop, lan, a).connect()
    assert peer.run(lambda: has_all(peer))
    for _ in range(50):
        peer._send(peers.ASKKEYS, 33554432)
    assert kinds_until_pong(peer).count(peers.KEYS) == 1
    while wire.unpack(peer.channel.receive(20))[0] != peers.KEYS:
        pass  # all the others are answered once, later
    peer.leave()


def test_a_guest_gets_one_answer(shop, lan, a):  # noqa: F811
    space = shop.network.host("PYTHON", lan)
    site, token = wire.Site(), wire.Token(a.invite())
    address = find(space, token, site, shop.network.address(a.space, lan))
    with inside(space):
        channel = wire.Channel(address, site, wire.INVITATION, token.psk, token.id + bytes(8))
    join = token.join(site, "PYTHON", channel.session)
    for _ in range(3):
        channel.send(join)
    assert wire.unpack(channel.receive(10))[0] == wire.WELCOME
    with pytest.raises((wire.Refused, ConnectionError, EOFError)):
        channel.receive(10)


def test_a_crowd_at_the_door_does_not_push_out_others(shop, lan, a):  # noqa: F811
    crowd, other = Crowd(shop, lan), shop.network.host("OTHER", lan)
    address = Guest(shop, lan, a).address
    with inside(other):
        quiet = socket.create_connection(address, timeout=10)
    with inside(crowd.space):
        many = [socket.create_connection(address, timeout=10, source_address=("%s.%d" % (lan.prefix, 100 + i % 3), 0))
                for i in range(120)]
    assert [s.recv(1) for s in many[:40]] == [b""] * 40  # the first of the crowd made room for the last
    assert not select.select([quiet], [], [], 0)[0]
    for s in [quiet, *many]:
        s.close()


def test_what_comes_at_once_is_acknowledged_together(shop, lan, a):  # noqa: F811
    peer = Guest(shop, lan, a).connect()
    assert peer.run(lambda: has_all(peer))
    said, channel = [], peer.channel
    send, sealed = channel.socket.sendall, bytearray()
    channel.socket = Later(channel.socket, sealed)
    for n in range(200):
        peer.publish("shop_client", 1, True, {"id": 1000 + n, "name": "Client %d" % n, "phone": "", "email": ""})
    channel.socket = channel.socket.real
    send(sealed)
    while peer.peer_have.get(peer.actor) != 200:
        kind, *fields = wire.unpack(channel.receive(20))
        said += [kind] if kind == peers.HAVE and any(actor == peer.actor for actor, _, _ in fields[0]) else []
        peer._take(kind, *fields)
    assert len(said) < 100
    assert peer.run(lambda: peer.peer_applied.get(peer.actor) == 200)
    peer.leave()


class Later:
    """A socket whose bytes are gathered."""

    def __init__(self, real, into):
        self.real, self.into = real, into

    def sendall(self, data):
        self.into += data

    def __getattr__(self, name):
        return getattr(self.real, name)
