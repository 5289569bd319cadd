"""parallel-ssh, one host, its native client. It verifies no host key."""

from importlib.metadata import version

from pssh.clients import SSHClient

from bench import SERVER


def about():
    return version("parallel-ssh")


def log_in():
    return SSHClient(SERVER.host, user=SERVER.user, port=SERVER.port,
                     pkey=SERVER.key, allow_agent=False, identity_auth=False,
                     num_retries=1)


def log_out(client):
    client.disconnect()


def sftp(client):
    return client


def get(client, job):
    client.copy_remote_file(job.remote, job.local)


def put(client, job):
    client.copy_file(job.local, job.remote)


def tree_get(client, job):
    client.copy_remote_file(job.remote, job.local, recurse=True)


def tree_put(client, job):
    client.copy_file(job.local, job.remote, recurse=True)


def scp(client, job):
    client.scp_recv(job.remote, job.local)


def execute(client, job):
    done = 0
    for _ in range(job.count):
        output = client.run_command("true")
        client.wait_finished(output)
        done += output.exit_code == 0
    return done
