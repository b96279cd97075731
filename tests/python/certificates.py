# SPDX-License-Identifier: Apache-2.0
"""Certificates, made on the spot by openssl."""
import subprocess
import time

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def is_valid(certificate):
    return subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-checkend", "0"], check=False,
                          capture_output=True).returncode == 0


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.certificate = folder / f"{name}.ca.pem"
        self._key = folder / f"{name}.ca.key"
        openssl("req", "-x509", *_NEW_KEY, "-days", 2, "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-keyout", self._key, "-out", self.certificate)

    def issue(self, name, days=2):
        """A certificate for this machine and its key, as (certificate, key). Of no days: one that has expired."""
        certificate, key = self.folder / f"{self.name}.{name}.pem", self.folder / f"{self.name}.{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nsubjectKeyIdentifier=hash\n"
                              "authorityKeyIdentifier=keyid\n")
        openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                "-days", days, "-extfile", extensions, "-out", certificate)
        while days == 0 and is_valid(certificate):
            time.sleep(0.1)
        key.chmod(0o600)
        return certificate, key
