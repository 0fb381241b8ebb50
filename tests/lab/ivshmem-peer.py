#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The server that QEMU's ivshmem-doorbell wants: one peer, which rings its own bell.

  ivshmem-peer.py SOCKET BYTES VECTORS

The protocol is QEMU's docs/specs/ivshmem-spec.rst: 64-bit little-endian numbers with a descriptor
beside them: version 0, the peer's id, -1 with the memory, then the id with each vector's eventfd.
Returns once it listens; what it left behind ends with its peer, or after a minute without one.
"""
import os
import socket
import struct
import sys

PEER = 0
WAIT_SECONDS = 60


def say(conn, number, fd=None):
    data = struct.pack("<q", number)
    if fd is None:
        conn.sendall(data)
    else:
        socket.send_fds(conn, [data], [fd])


def serve(listener, size, vectors):
    listener.settimeout(WAIT_SECONDS)
    conn, _ = listener.accept()
    conn.settimeout(None)
    memory = os.memfd_create("ivshmem")
    os.ftruncate(memory, size)
    say(conn, 0)
    say(conn, PEER)
    say(conn, -1, memory)
    for _ in range(vectors):
        say(conn, PEER, os.eventfd(0, os.EFD_NONBLOCK))
    while conn.recv(64):
        pass


def main():
    path, size, vectors = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    if os.fork():
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.closerange(3, listener.fileno())
    try:
        serve(listener, size, vectors)
    except OSError:
        pass


main()
