"""A certificate authority for one test."""

import subprocess


class Authority:
    def __init__(self, folder, name="test authority"):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key", "-out",
                     self.certificate, "-days", "2", "-subj", f"/CN={name}")

    def openssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)

    def issue(self, name, alternatives, into=None):
        """Certificate and key for `name`, as (certificate, key); into the same files again if they exist."""
        folder = into or self.folder
        key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{key}.new", "-out", request,
                     "-subj", f"/CN={name}")
        self.openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.folder / "ca.key",
                     "-CAcreateserial", "-out", f"{certificate}.new", "-days", "2", "-extfile", extensions)
        for path in (key, certificate):
            path.with_suffix(path.suffix + ".new").rename(path)
        return certificate, key
