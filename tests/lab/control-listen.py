#!/usr/bin/python3
# Plays netd's part in a control socket: makes it, listens, and runs a program with it as a descriptor.
#   control-listen.py PATH FD COMMAND...
import os
import socket
import sys

path, fd, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
if os.path.exists(path):
    os.unlink(path)
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
os.umask(0o117)
s.bind(path)
s.listen(8)
if s.fileno() != fd:
    os.dup2(s.fileno(), fd)
os.set_inheritable(fd, True)
os.execvp(command[0], command)
