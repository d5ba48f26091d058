"""The real servers and the volume that a bench runs against, all on loopback and gone at the end."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time


class BenchError(Exception):
    """What stops a bench, in one line."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(ready, what, seconds=20.0):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise BenchError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.02)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(*command, **options):
    """Runs a command that must succeed; its output is shown only if it does not."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    if done.returncode != 0:
        raise BenchError(f"{command[0]} failed ({done.returncode}): {(done.stderr + done.stdout)[-2000:]}")
    return done.stdout


class Server:
    """A child process that listens on a port of its own."""

    def __init__(self, command, port, log):
        with open(log, "ab") as output:
            self.process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output)
        self.port = port
        wait_for(lambda: accepts(port), f"start of {command[0]}")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def start_redis(folder):
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", folder]
    return Server(command, port, folder / "redis.log")


NGINX_CONFIG = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  server {{
    listen 127.0.0.1:{port}{tls};
    location /bench/ {{ alias {objects}/; }}
  }}
}}
"""

TLS_LINES = " ssl;\n    ssl_certificate {folder}/server.pem;\n    ssl_certificate_key {folder}/server.key"


def make_certificates(folder):
    """A certificate authority of our own and a server certificate for 127.0.0.1."""
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bench",
        "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
        "-keyout", folder / "server.key", "-out", folder / "server.csr")
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    run("openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem",
        "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", folder / "server.ext",
        "-out", folder / "server.pem")
    return folder / "ca.pem"


def start_nginx(folder, objects, tls):
    port = free_port()
    tls_lines = TLS_LINES.format(folder=folder) if tls else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=folder, objects=objects, port=port, tls=tls_lines))
    # One worker that may read files of whoever started the bench.
    return Server(["nginx", "-c", config, "-g", f"user {user_name()};"], port, folder / "nginx.out")


def user_name():
    return run("id", "-un").strip()


class Volume:
    """A JuiceFS volume whose objects lie in a folder; where clients fetch them from can be changed."""

    NAME = "bench"

    def __init__(self, juicefs, redis, folder, options):
        self.juicefs = juicefs
        self.redis = redis
        self.meta = f"redis://127.0.0.1:{redis.port}/1"
        self.objects = folder / "objects"
        self.environment = dict(os.environ)
        self.environment["JUICEFS_NO_UPDATE_CHECK"] = "1"
        command = [juicefs, "format", "--storage", "file", "--bucket", f"{self.objects}/", "--trash-days", "0",
                   "--block-size", options.block_size, "--compress", options.compress]
        if options.encrypt:
            key = folder / "volume.pem"
            self.environment["JFS_RSA_PASSPHRASE"] = "bench"
            run("openssl", "genrsa", "-aes256", "-passout", "pass:bench", "-out", key, "2048")
            command += ["--encrypt-rsa-key", key]
        run(*command, self.meta, self.NAME, env=self.environment)
        self.uuid = self.setting()["UUID"]

    def _redis(self, *command, **options):
        return run("redis-cli", "-p", self.redis.port, "-n", "1", *command, **options)

    def setting(self):
        return json.loads(self._redis("--raw", "get", "setting"))

    def point_at(self, bucket):
        """From now on clients fetch from this S3 bucket, unsigned."""
        setting = self.setting()
        setting.update(Storage="s3", Bucket=bucket, AccessKey="anonymous")
        self._redis("-x", "set", "setting", input=json.dumps(setting))

    def mount(self, folder, cache):
        return Mount(self, folder, cache)

    def keys(self):
        """Block keys of all objects, in the order of the slices."""
        base = self.objects / self.NAME
        found = [str(path.relative_to(base)) for path in (base / "chunks").rglob("*_*_*") if path.is_file()]
        return sorted(found, key=lambda key: [int(part) for part in key.rsplit("/", 1)[1].split("_")])

    def read_objects(self):
        """Brings the objects into the page cache, so that no run reads the source from the disk."""
        for key in self.keys():
            with open(self.objects / self.NAME / key, "rb") as source:
                while source.read(4 << 20):
                    pass


class Mount:
    """The real client on a mount point; `pid` is the process that does the work."""

    def __init__(self, volume, folder, cache):
        self.volume = volume
        self.point = pathlib.Path(folder)
        self.point.mkdir(exist_ok=True)
        run(volume.juicefs, "mount", "-d", "--no-usage-report", "--no-bgjob", "--cache-dir", cache,
            "--log", f"{folder}.log", volume.meta, self.point, env=volume.environment)
        config = json.loads((self.point / ".config").read_text())
        self.pid = config["Pid"]
        self.supervisor = config["PPid"]

    def cpu_seconds(self):
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        fields = stat[stat.rindex(")") + 2 :].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) << 10

    def unmount(self):
        """Everything written is in the store by now: files are flushed when they are closed. The client
        ends by itself when its file system is gone; sometimes it never does, and then it is killed, so
        that it takes nothing from the next run."""
        run("umount", self.point)
        try:
            wait_for(lambda: not pathlib.Path(f"/proc/{self.pid}").exists(), "end of the mount")
        except BenchError:
            for process in (self.supervisor, self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
