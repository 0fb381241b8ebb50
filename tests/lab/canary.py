#!/usr/bin/python3
"""Memory of the host that nobody but this process may write.

canary.py MIB FILE: fills MIB with a pattern, writes to FILE the physical address of each page at
2 GiB or above (below, a guest's own memory has the same numbers as IOVA), then checks the pattern
once a line comes on standard input, and says "whole" or "broken AT".
"""
import mmap
import struct
import sys

PAGE = 4096
n = int(sys.argv[1]) * (1 << 20) // PAGE
mem = mmap.mmap(-1, n * PAGE)


def pattern(i):
    return struct.pack("<QQ", 0x5EED000000000000 + i, i * 0x9E3779B97F4A7C15 % (1 << 64)) * (PAGE // 16)


for i in range(n):
    mem[i * PAGE : (i + 1) * PAGE] = pattern(i)


def address():
    for line in open("/proc/self/maps"):
        low, high = (int(x, 16) for x in line.split()[0].split("-"))
        if high - low == n * PAGE:
            return low
    sys.exit("the mapping is not in /proc/self/maps")


base = address()
with open("/proc/self/pagemap", "rb") as pagemap, open(sys.argv[2], "w") as out:
    pagemap.seek(base // PAGE * 8)
    for entry in struct.unpack("<%dQ" % n, pagemap.read(n * 8)):
        frame = entry & ((1 << 55) - 1)
        if entry >> 63 and frame * PAGE >= 2 << 30:
            print("%#x" % (frame * PAGE), file=out)
print("ready", flush=True)
sys.stdin.readline()
for i in range(n):
    if mem[i * PAGE : (i + 1) * PAGE] != pattern(i):
        sys.exit("broken at page %d" % i)
print("whole", flush=True)
