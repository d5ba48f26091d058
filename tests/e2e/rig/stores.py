"""Where the objects of a volume lie: a folder, a real S3 server over a folder, or a bucket of Google's API.

Each store says how to format a volume on it (`format_options`), and can be cut off and brought back.
"""

import json
import pathlib
import urllib.request

from rig.process import FAKE_GCS_SERVER, VERSITYGW, Child, accepts, free_port, wait_for

ACCESS_KEY, SECRET_KEY = "prewarm-test", "prewarm-test-secret"


class FileStore:
    kind = "file"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)

    @property
    def format_options(self):
        return ["--storage", "file", "--bucket", f"{self.folder}/"]

    def objects(self):
        """Stored objects below the folder, without the client's own bookkeeping."""
        return sorted(path for path in self.folder.glob("*/chunks/**/*") if path.is_file())

    def cut_off(self):
        self.folder.rename(self.folder.with_suffix(".away"))

    def bring_back(self):
        self.folder.with_suffix(".away").rename(self.folder)

    def close(self):
        pass


class S3Store:
    """versitygw: checks signatures, keeps each object as a file."""

    kind = "s3"
    env = {"ACCESS_KEY": ACCESS_KEY, "SECRET_KEY": SECRET_KEY}  # for those who have only these

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.bucket_folder = self.folder / "objects" / "models"
        self.bucket_folder.mkdir(parents=True)
        (self.folder / "attributes").mkdir()
        self.server = None
        self.bring_back()

    @property
    def bucket(self):
        return f"http://127.0.0.1:{self.port}/models"

    @property
    def format_options(self):
        return ["--storage", "s3", "--bucket", self.bucket,
                "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]

    def objects(self):
        return sorted(path for path in self.bucket_folder.glob("*/chunks/**/*") if path.is_file())

    def bring_back(self):
        # Attributes in files of their own: temporary folders may lie where there are no extended ones.
        self.server = Child(
            [VERSITYGW, "--port", f"127.0.0.1:{self.port}", "posix",
             "--sidecar", self.folder / "attributes", self.folder / "objects"],
            self.folder / "versitygw.log",
            {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY})
        self.server.wait_until(lambda: accepts(self.port), "versitygw")

    def cut_off(self):
        self.server.stop()
        wait_for(lambda: not accepts(self.port), "the S3 server's port to close")

    def close(self):
        self.server.stop()


class GcsStore:
    """fake-gcs-server: Google's API over memory. It takes any caller, so whoever comes needs no credentials; once cut
    off, it is gone."""

    kind = "gs"

    def __init__(self, folder):
        self.port = free_port()
        address = f"127.0.0.1:{self.port}"
        self.env = {"STORAGE_EMULATOR_HOST": address}
        self.format_options = ["--storage", "gs", "--bucket", "gs://models.local"]
        self.server = Child(
            [FAKE_GCS_SERVER, "-scheme", "http", "-host", "127.0.0.1", "-port", self.port, "-backend", "memory",
             "-public-host", address], pathlib.Path(folder) / "gcs.log")
        self.server.wait_until(lambda: accepts(self.port), "fake-gcs-server")
        request = urllib.request.Request(f"http://{address}/storage/v1/b", json.dumps({"name": "models"}).encode(),
                                         {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def objects(self):
        url = f"http://127.0.0.1:{self.port}/storage/v1/b/models/o?prefix=models/chunks/"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return sorted(item["name"] for item in json.load(answer).get("items", []))

    def cut_off(self):
        self.server.stop()
        wait_for(lambda: not accepts(self.port), "the port of the server of buckets to close")

    def close(self):
        self.server.stop()


class NginxStore:
    """The objects of a FileStore, served unsigned at full speed, with every request in a log."""

    kind = "s3"
    env = {"ACCESS_KEY": ACCESS_KEY, "SECRET_KEY": SECRET_KEY}  # for those who have only these

    def __init__(self, folder, objects):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        config = self.folder / "nginx.conf"
        config.write_text(f"""
            daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;
            events {{ worker_connections 1024; }}
            http {{
              log_format requests '$request_method $uri $status $body_bytes_sent $request_completion';
              access_log {self.folder}/requests.log requests;
              client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
              fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
              sendfile on; keepalive_requests 100000;
              server {{ listen 127.0.0.1:{self.port}; location /models/ {{ alias {objects}/; }} }}
            }}""")
        self.server = Child(["nginx", "-e", self.folder / "error.log", "-c", config],
                            self.folder / "nginx.log")
        self.server.wait_until(lambda: accepts(self.port), "nginx")

    @property
    def options(self):
        """Points prewarm-agent here instead of at the volume's own store."""
        return ["--storage", "s3", "--bucket", f"http://127.0.0.1:{self.port}/models"]

    environment = {"ACCESS_KEY": ACCESS_KEY, "SECRET_KEY": SECRET_KEY}

    def gets(self):
        """How often each block was sent whole."""
        counts = {}
        for line in (self.folder / "requests.log").read_text().splitlines():
            method, uri, status, _, completion = (line.split(" ") + [""])[:5]
            if method == "GET" and status in ("200", "206") and completion == "OK" and "/chunks/" in uri:
                counts[uri] = counts.get(uri, 0) + 1
        return counts

    def close(self):
        self.server.stop()
