"""asyncssh: each call by itself is run to its end; `stats` gathers."""

import asyncio

import asyncssh

from bench import SERVER

LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)


def about():
    return asyncssh.__version__


def waited(run):
    return lambda *arguments: LOOP.run_until_complete(run(*arguments))


@waited
async def log_in():
    return await asyncssh.connect(
        SERVER.host, SERVER.port, username=SERVER.user,
        client_keys=[SERVER.key], known_hosts=SERVER.known_hosts,
        config=None, agent_path=None)


@waited
async def log_out(connection):
    connection.close()
    await connection.wait_closed()


@waited
async def sftp(connection):
    return await connection.start_sftp_client()


@waited
async def get(sftp, job):
    await sftp.get(job.remote, job.local)


@waited
async def put(sftp, job):
    await sftp.put(job.local, job.remote)


@waited
async def tree_get(sftp, job):
    await sftp.get(job.remote, job.local, recurse=True)


@waited
async def tree_put(sftp, job):
    await sftp.put(job.local, job.remote, recurse=True)


@waited
async def list(sftp, job):
    return len(await sftp.readdir(job.remote))


@waited
async def stat(sftp, job):
    for i in range(job.count):
        await sftp.stat(f"{job.remote}/e{i:05}")
    return job.count


@waited
async def stats(sftp, job):
    return len(await asyncio.gather(*(
        sftp.stat(f"{job.remote}/e{i:05}") for i in range(job.count))))


@waited
async def execute(connection, job):
    done = 0
    for _ in range(job.count):
        done += (await connection.run("true")).exit_status == 0
    return done


@waited
async def stream(connection, job):
    process = await connection.create_process(
        f"head -c {job.count}M /dev/zero", encoding=None)
    total = 0
    while data := await process.stdout.read(1 << 20):
        total += len(data)
    return total


@waited
async def scp(connection, job):
    await asyncssh.scp((connection, job.remote), job.local)
