"""What runs in a pod in the forwards' tests: a TCP server that does what a connection's first line asks. Plain Python.

``echo``: send everything back, to its end. ``send N``: N bytes, then the end. ``count N``: read N bytes, answer their
SHA-256, stay. ``stall``: answer ``ok``, read nothing more. ``cut``: a reset. ``silent``: say nothing, stay.
"""

import hashlib
import socket
import socketserver
import struct
import sys
import threading

PATTERN = bytes(range(256)) * 256


class Conversation(socketserver.BaseRequestHandler):
    def handle(self):
        file = self.request.makefile("rb")
        word, _, number = file.readline().decode().strip().partition(" ")
        if word == "echo":
            while data := file.read1(1 << 16):
                self.request.sendall(data)
        elif word == "send":
            left = int(number)
            while left:
                self.request.sendall(PATTERN[: min(left, len(PATTERN))])
                left -= min(left, len(PATTERN))
        elif word == "count":
            digest, left = hashlib.sha256(), int(number)
            while left:
                data = file.read1(min(left, 1 << 16))
                if not data:
                    return
                digest.update(data)
                left -= len(data)
            self.request.sendall(digest.hexdigest().encode() + b"\n")
            file.read1(1)
        elif word == "stall":
            self.request.sendall(b"ok\n")
            threading.Event().wait(600)
        elif word == "cut":
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif word == "silent":
            file.read1(1)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512


if __name__ == "__main__":
    Server(("0.0.0.0", int(sys.argv[1])), Conversation).serve_forever()
