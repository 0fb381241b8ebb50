#!/usr/bin/env python3
"""Frames into a tap that a VMM holds, as its guest would send them, and which of them arrive.

    frames.py PID TAP-DESCRIPTOR INTERFACE MAC [addresses]

With "addresses" those of a guest that may use 192.0.2.7 and 2001:db8::7. Sends each frame of the list through the VMM's descriptor, listens at INTERFACE, and prints a line each:
NAME passed|dropped. The descriptor is taken by pidfd_getfd(2): the VMM is a stand-in that never reads it.
"""
import ctypes, os, select, socket, struct, sys, time

PIDFD_GETFD = 438
VNET = bytes(10)
OTHER = bytes.fromhex("02dead000001")
ALL = b"\xff" * 6


def eth(src, kind, body, dst=ALL):
    return dst + src + struct.pack("!H", kind) + body + bytes(max(0, 46 - len(body)))


def arp(src, sender, ip="10.0.2.15"):
    a = socket.inet_aton(ip)
    return eth(src, 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + sender + a + bytes(6) + a)


def checksum(b):
    n = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while n >> 16:
        n = (n & 0xFFFF) + (n >> 16)
    return ~n & 0xFFFF


def ip4(src, source):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + socket.inet_aton(source) + ALL[:4]
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return eth(src, 0x0800, head + struct.pack("!HHHH", 9, 9, 8, 0))


def ip6(src, source):
    head = struct.pack("!IHBB", 0x60000000, 8, 17, 64) + socket.inet_pton(socket.AF_INET6, source)
    head += socket.inet_pton(socket.AF_INET6, "ff02::1")
    return eth(src, 0x86DD, head + struct.pack("!HHHH", 9, 9, 8, 0), bytes.fromhex("333300000001"))


def icmp6(src, kind, options, source="fe80::1", before=b"", length=None, target="fe80::1"):
    """Neighbour discovery: 4 bytes of flags, a target, options."""
    to = socket.inet_pton(socket.AF_INET6, "ff02::1")
    ip = socket.inet_pton(socket.AF_INET6, source)
    body = bytes([kind, 0, 0, 0, 0, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, target) + options
    sum_ = checksum(ip + to + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", sum_) + body[4:]
    after = 60 if before else 58
    payload = before + body
    head = struct.pack("!IHBB", 0x60000000, length or len(payload), after, 255) + ip + to
    return eth(src, 0x86DD, head + payload, bytes.fromhex("333300000001"))


def frames(me):
    mine1, mine2 = b"\x01\x01" + me, b"\x02\x01" + me
    bad1, bad2 = b"\x01\x01" + OTHER, b"\x02\x01" + OTHER
    nonce = b"\x0e\x01" + b"nonce!"
    dstopt = b"\x3a\x00\x01\x04\x00\x00\x00\x00"
    return [
        ("own", eth(me, 0x88B5, b"own")),
        ("other-mac", eth(OTHER, 0x88B5, b"other")),
        ("tagged", eth(me, 0x8100, struct.pack("!HH", 100, 0x88B5) + b"tagged")),
        ("tagged-ad", eth(me, 0x88A8, struct.pack("!HH", 100, 0x88B5) + b"tagged")),
        ("priority-tagged", eth(me, 0x8100, struct.pack("!HH", 0x6000, 0x88B5) + b"tagged")),
        ("arp", arp(me, me)),
        ("arp-other", arp(me, OTHER)),
        ("ns", icmp6(me, 135, mine1)),
        ("ns-other", icmp6(me, 135, bad1)),
        ("ns-dad", icmp6(me, 135, b"", "::")),
        ("ns-dad-nonce", icmp6(me, 135, nonce, "::")),
        ("ns-and-nonce", icmp6(me, 135, mine1 + nonce)),
        ("ns-nonce-other", icmp6(me, 135, nonce + bad1)),
        ("ns-own-other", icmp6(me, 135, mine1 + bad1)),
        ("ns-three", icmp6(me, 135, mine1 + nonce + bad1)),
        ("na", icmp6(me, 136, mine2)),
        ("na-none", icmp6(me, 136, b"")),
        ("na-other", icmp6(me, 136, bad2)),
        ("na-two", icmp6(me, 136, mine2 + bad2)),
        ("na-nonce-other", icmp6(me, 136, nonce + bad2)),
        ("na-behind-options", icmp6(me, 136, mine2, before=dstopt)),
    ]


def addressed(me):
    option = b"\x02\x01" + me
    return [
        ("ip", ip4(me, "192.0.2.7")),
        ("ip-other", ip4(me, "192.0.2.8")),
        ("ip-none", ip4(me, "0.0.0.0")),
        ("arp", arp(me, me, "192.0.2.7")),
        ("arp-other", arp(me, me, "192.0.2.8")),
        ("arp-probe", arp(me, me, "0.0.0.0")),
        ("ip6", ip6(me, "2001:db8::7")),
        ("ip6-other", ip6(me, "2001:db8::8")),
        ("ip6-none", ip6(me, "::")),
        ("ip6-local", ip6(me, "fe80::5")),
        ("na", icmp6(me, 136, option, target="2001:db8::7")),
        ("na-other", icmp6(me, 136, option, target="2001:db8::8")),
        ("na-local", icmp6(me, 136, option, target="febf::1")),
        ("na-site", icmp6(me, 136, option, target="fec0::1")),
        ("other-mac", ip4(OTHER, "192.0.2.7")),
    ]


def main():
    pid, fd, ifname, mac = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], bytes.fromhex(sys.argv[4].replace(":", ""))
    libc = ctypes.CDLL(None, use_errno=True)
    tap = libc.syscall(PIDFD_GETFD, os.pidfd_open(pid), fd, 0)
    if tap < 0:
        sys.exit(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
    s.bind((ifname, 0))
    for name, frame in (addressed if sys.argv[5:] == ["addresses"] else frames)(mac):
        os.write(tap, VNET + frame)
        until, came = time.monotonic() + 0.3, False
        while not came and (left := until - time.monotonic()) > 0 and select.select([s], [], [], left)[0]:
            came = s.recv(2048)[: len(frame)] == frame
        print(name, "passed" if came else "dropped", flush=True)


main()
