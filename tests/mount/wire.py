"""A wire tap: passes one server's port on and notes each SMB2 message that a mount sends."""

import socket
import struct
import threading
import time

COMMANDS = (
    "NEGOTIATE SESSION_SETUP LOGOFF TREE_CONNECT TREE_DISCONNECT CREATE CLOSE FLUSH READ WRITE LOCK IOCTL "
    "CANCEL ECHO QUERY_DIRECTORY CHANGE_NOTIFY QUERY_INFO SET_INFO OPLOCK_BREAK"
).split()


def commands_of(message):
    """The commands of one message, joined with "+" when it is a compound; messages are signed, not sealed."""
    names, at = [], 0
    while message[at:at + 4] == b"\xfeSMB" and len(message) >= at + 64:
        name = COMMANDS[struct.unpack_from("<H", message, at + 12)[0]]
        # a folder that is opened to be watched, not to be listed: the only one that asks for no more than that
        if name == "CREATE" and struct.unpack_from("<I", message, at + 64 + 24)[0] == 1:
            name = "WATCH"
        names.append(name)
        following = struct.unpack_from("<I", message, at + 20)[0]
        if following == 0:
            break
        at += following
    return "+".join(names)


class Tap:
    """Listens on a port of its own; `sent` is what went through since the last clear()."""

    def __init__(self, port):
        self.target = port
        self.lock = threading.Lock()
        self.messages = []
        self.latency = 0  # s that each answer takes
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.sockets += [client, server]
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pump, args=(client, server, self.note), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, None), daemon=True).start()

    def note(self, held):
        """Takes the whole messages out of what was received so far."""
        while len(held) >= 4:
            length = int.from_bytes(held[1:4], "big")
            if len(held) < 4 + length:
                return
            names = commands_of(bytes(held[4:4 + length]))
            del held[:4 + length]
            with self.lock:
                self.messages.append(names)

    def pump(self, source, sink, note):
        held = bytearray()
        try:
            while data := source.recv(1 << 20):
                if note:
                    held += data
                    note(held)
                elif self.latency:
                    time.sleep(self.latency)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def clear(self):
        with self.lock:
            self.messages = []

    @property
    def sent(self):
        with self.lock:
            return list(self.messages)

    def waited_for(self):
        """Messages since clear() that somebody waited for: a close on its own is not, and nothing of a watch is."""
        return [names for names in self.sent if names not in ("CLOSE", "WATCH", "CHANGE_NOTIFY", "CANCEL")]

    def stop(self):
        self.listener.close()
        for end in self.sockets:
            end.close()
