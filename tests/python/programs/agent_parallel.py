"""Commands in many threads, authenticated by the agent's keys."""
import os
import pwd
import socket
import sys
from threading import Thread

from ssh2.exceptions import AgentAuthenticationError
from ssh2.session import Session

host, port = sys.argv[1], int(sys.argv[2])
user = pwd.getpwuid(os.geteuid()).pw_name
output = {}


class Host(Thread):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def run(self):
        sock = socket.create_connection((host, port))
        session = Session()
        session.handshake(sock)
        agent = session.agent_init()
        agent.connect()
        for pkey in agent.get_identities():
            try:
                agent.userauth(user, pkey)
            except AgentAuthenticationError:
                continue
            break
        agent.disconnect()
        assert session.userauth_authenticated()
        channel = session.open_session()
        channel.execute(f"echo host {self.number}; exit {self.number}")
        channel.wait_eof()
        _, data = channel.read()
        channel.close()
        channel.wait_closed()
        output[self.number] = data, channel.get_exit_status()


threads = [Host(i) for i in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for number in sorted(output):
    print(number, *output[number])
