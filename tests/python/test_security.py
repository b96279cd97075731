# SPDX-License-Identifier: Apache-2.0
"""Who may call the server, and what it refuses to start with. Certificates are made on the spot."""
import json
import os
import pathlib
import socket
import ssl
import subprocess
import time

import pytest

from certificates import Authority
from conftest import BIN, ROOT, TINY_MODEL, error_lines

IMAGE = (ROOT / "tests" / "data" / "png8.png").read_bytes()
TOKEN, OTHER_TOKEN = "first-token-of-the-test", "second-token-of-the-test"
START_SECONDS = 60
RELOAD_SECONDS = 20  # the server looks once a second; what is more is patience


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "ours")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "theirs")


@pytest.fixture(scope="module")
def identity(authority):
    return authority.issue("server")


def tls_flags(identity, client_ca=None):
    flags = ["--tls-cert", identity[0], "--tls-key", identity[1]]
    return flags + ["--tls-client-ca", client_ca] if client_ca else flags


def channel_to(address, authority=None, client=None):
    import grpc
    if authority is None:
        return grpc.insecure_channel(address)
    chain, key = (client[0].read_bytes(), client[1].read_bytes()) if client else (None, None)
    # A pool of its own, so that every channel is a new connection.
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority.certificate.read_bytes(), key, chain),
                               options=[("grpc.use_local_subchannel_pool", 1)])


@pytest.fixture(scope="module")
def call(stubs):
    """Calls Ground and returns the name of the code: call(address, authority, client, metadata)."""
    import grpc
    pb, rpc = stubs

    def ground(address, authority=None, client=None, metadata=()):
        with channel_to(address, authority, client) as channel:
            try:
                rpc.GroundingServiceStub(channel).Ground(pb.GroundRequest(image=pb.Image(encoded=IMAGE)), timeout=20,
                                                         metadata=metadata)
            except grpc.RpcError as error:
                return error.code().name
            return "OK"
    return ground


def bearer(token):
    return [("authorization", f"Bearer {token}")]


def write_private(path, text):
    """Puts a file in place at once, as one should: readers see the old one or the new one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(path)
    return path


def events(running, name):
    return [line for line in map(json.loads, running.log().splitlines()) if line["event"] == name]


def wait_for(condition, what):
    deadline = time.monotonic() + RELOAD_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def refused_start(*flags):
    """Starts a server that should not start: (exit code, its one line)."""
    done = subprocess.run([BIN / "objectdino-server", "--model", TINY_MODEL, "--listen", "127.0.0.1:0",
                           "--metrics-listen", "none", *map(str, flags)],
                          capture_output=True, text=True, timeout=START_SECONDS)
    line, = error_lines(done.stderr)
    return done.returncode, line


# ---------------------------------------------------------------- TLS

def test_tls_right_root_is_served_all_others_are_not(start_server, call, authority, stranger, identity):
    running = start_server(*tls_flags(identity))
    assert call(running.grpc, authority) == "OK"
    assert call(running.grpc, stranger) == "UNAVAILABLE"
    assert call(running.grpc) == "UNAVAILABLE", "plain text"
    loaded, = events(running, "tls.loaded")
    assert loaded["certificate"] == str(identity[0]) and loaded["not_after"].startswith("20")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_old_versions_are_refused(start_server, authority, identity):
    running = start_server(*tls_flags(identity))
    host, port = running.grpc.rsplit(":", 1)

    def version(newest):
        context = ssl.create_default_context(cafile=authority.certificate)
        context.set_alpn_protocols(["h2"])
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
        with socket.create_connection((host, int(port)), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname=host) as secure:
                return secure.version()
    assert version(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert version(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        version(ssl.TLSVersion.TLSv1_1)


def test_mutual_tls_needs_a_certificate_of_ours(start_server, call, authority, stranger, identity):
    running = start_server(*tls_flags(identity, authority.certificate))
    assert call(running.grpc, authority, authority.issue("client")) == "OK"
    assert call(running.grpc, authority) == "UNAVAILABLE", "no certificate"
    assert call(running.grpc, authority, stranger.issue("client")) == "UNAVAILABLE", "of another root"
    assert call(running.grpc, authority, authority.issue("late", days=0)) == "UNAVAILABLE", "expired"


def test_tls_certificate_is_replaced_without_a_restart(start_server, call, authority, stranger, tmp_path):
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    def put(identity):
        write_private(key, identity[1].read_text())
        write_private(certificate, identity[0].read_text())
    put(authority.issue("before"))
    running = start_server(*tls_flags((certificate, key)))
    assert call(running.grpc, authority) == "OK"
    put(stranger.issue("after"))
    wait_for(lambda: call(running.grpc, stranger) == "OK", "the new certificate is not used")
    assert call(running.grpc, authority) == "UNAVAILABLE"
    assert len(events(running, "tls.reloaded")) >= 1
    assert running.process.poll() is None


def test_tls_roots_of_clients_are_replaced_without_a_restart(start_server, call, authority, stranger, identity,
                                                             tmp_path):
    roots = write_private(tmp_path / "roots.pem", authority.certificate.read_text())
    ours, theirs = authority.issue("one"), stranger.issue("two")
    running = start_server(*tls_flags(identity, roots))
    assert call(running.grpc, authority, ours) == "OK"
    assert call(running.grpc, authority, theirs) == "UNAVAILABLE"
    write_private(roots, stranger.certificate.read_text())
    wait_for(lambda: call(running.grpc, authority, theirs) == "OK", "the new roots are not used")
    assert call(running.grpc, authority, ours) == "UNAVAILABLE"


@pytest.mark.parametrize("spoil", ["key of another", "empty certificate", "gone"])
def test_tls_bad_replacement_keeps_what_was_good(start_server, call, authority, tmp_path, spoil):
    good = authority.issue("good")
    certificate = write_private(tmp_path / "tls.crt", good[0].read_text())
    key = write_private(tmp_path / "tls.key", good[1].read_text())
    running = start_server(*tls_flags((certificate, key)))
    if spoil == "key of another":
        write_private(key, authority.issue("another")[1].read_text())
    elif spoil == "empty certificate":
        write_private(certificate, "")
    else:
        key.unlink()

    def noticed():
        assert call(running.grpc, authority) == "OK"
        return events(running, "tls.reload_failed")
    wait_for(noticed, "the bad file is not noticed")
    assert call(running.grpc, authority) == "OK"
    failed, = events(running, "tls.reload_failed")
    assert failed["level"] == "error"
    assert str(certificate if spoil == "empty certificate" else key) in failed["message"]
    better = authority.issue("better")
    write_private(certificate, better[0].read_text())
    write_private(key, better[1].read_text())
    wait_for(lambda: call(running.grpc, authority) == "OK" and events(running, "tls.reloaded"), "no recovery")


@pytest.mark.parametrize("which", ["--tls-cert", "--tls-key", "--tls-client-ca"])
@pytest.mark.parametrize("spoil", ["missing", "folder", "empty", "garbled", "unreadable"])
def test_tls_bad_file_at_the_start_is_refused_by_name(bin_folder, authority, identity, tmp_path, which, spoil):
    bad = tmp_path / "bad.pem"
    if spoil == "folder":
        bad.mkdir()
    elif spoil != "missing":
        bad.write_text("" if spoil == "empty" else "-----BEGIN CERTIFICATE-----\nAAAA\n")
    if spoil == "unreadable":
        bad.chmod(0)
        if os.access(bad, os.R_OK):
            pytest.skip("this user may read everything")
    flags = {"--tls-cert": identity[0], "--tls-key": identity[1], "--tls-client-ca": authority.certificate, which: bad}
    code, line = refused_start(*[part for flag in flags.items() for part in flag])
    assert code == 1
    assert f"{which} {bad}" in line


def test_tls_key_of_another_certificate_is_refused(bin_folder, authority, identity):
    other = authority.issue("other")[1]
    code, line = refused_start("--tls-cert", identity[0], "--tls-key", other)
    assert code == 1
    assert f"--tls-key {other} is not the key of --tls-cert {identity[0]}" in line


def test_tls_expired_certificate_and_open_key_are_warned_about(start_server, authority):
    expired = authority.issue("expired", days=0)
    expired[1].chmod(0o644)
    running = start_server(*tls_flags(expired))
    assert events(running, "tls.certificate_expired")[0]["level"] == "warning"
    assert events(running, "tls.key_readable_by_all")[0]["level"] == "warning"


# ---------------------------------------------------------------- tokens

@pytest.fixture
def tokens(tmp_path):
    return write_private(tmp_path / "tokens", f"# of the test\n{TOKEN}\n\n{OTHER_TOKEN}\n")


def test_token_right_one_is_served_all_others_are_not(start_server, call, tokens):
    running = start_server("--token-file", tokens)
    assert call(running.grpc, metadata=bearer(TOKEN)) == "OK"
    assert call(running.grpc, metadata=bearer(OTHER_TOKEN)) == "OK"
    for metadata in [(), bearer(TOKEN + "x"), bearer(TOKEN[:-1]), bearer(""), [("authorization", TOKEN)],
                     bearer(TOKEN) * 2, [("x-authorization", f"Bearer {TOKEN}")]]:
        assert call(running.grpc, metadata=metadata) == "UNAUTHENTICATED", metadata
    assert running.scrape()['objectdino_requests_total{code="UNAUTHENTICATED",method="Ground"}'] == 7


@pytest.mark.parametrize("method", ["GetModelInfo", "VerifyRegions", "StreamGround"])
def test_token_is_needed_for_every_method(start_server, stubs, tokens, method):
    import grpc
    pb, rpc = stubs
    running = start_server("--token-file", tokens)

    def code(metadata):
        with grpc.insecure_channel(running.grpc) as channel:
            rpcs = rpc.GroundingServiceStub(channel)
            try:
                if method == "StreamGround":
                    list(rpcs.StreamGround(iter([]), timeout=20, metadata=metadata))
                else:
                    getattr(rpcs, method)(getattr(pb, f"{method}Request")(), timeout=20, metadata=metadata)
            except grpc.RpcError as error:
                return error.code().name
            return "OK"
    assert code(()) == "UNAUTHENTICATED"
    assert code(bearer(TOKEN)) != "UNAUTHENTICATED"


def test_token_with_tls(start_server, call, authority, identity, tokens):
    running = start_server("--token-file", tokens, *tls_flags(identity))
    assert call(running.grpc, authority, metadata=bearer(TOKEN)) == "OK"
    assert call(running.grpc, authority) == "UNAUTHENTICATED"


def raw_call(address, method, request):
    """The bytes that a method without stubs here answers, or the name of its code."""
    import grpc
    with grpc.insecure_channel(address) as channel:
        try:
            return next(iter(channel.stream_stream(method)(iter([request]), timeout=20)))
        except grpc.RpcError as error:
            return error.code().name


def describes_itself(running):
    answer = raw_call(running.grpc, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", b"\x3a\x01*")
    assert answer == "UNIMPLEMENTED" or b"objectdino.v1.GroundingService" in answer, answer
    return answer != "UNIMPLEMENTED"


def test_token_is_not_needed_for_health_and_hides_reflection(start_server, tokens):
    running = start_server("--token-file", tokens)
    assert raw_call(running.grpc, "/grpc.health.v1.Health/Check", b"") == b"\x08\x01"
    assert not describes_itself(running)
    assert describes_itself(start_server("--token-file", tokens, "--reflection"))
    assert describes_itself(start_server())
    assert not describes_itself(start_server("--no-reflection"))


def test_token_file_is_replaced_without_a_restart(start_server, call, tokens):
    running = start_server("--token-file", tokens)
    write_private(tokens, "third-token-of-the-test\n")
    wait_for(lambda: call(running.grpc, metadata=bearer("third-token-of-the-test")) == "OK", "no new token")
    assert call(running.grpc, metadata=bearer(TOKEN)) == "UNAUTHENTICATED"
    write_private(tokens, "")

    def noticed():
        assert call(running.grpc, metadata=bearer("third-token-of-the-test")) == "OK"
        return events(running, "auth.reload_failed")
    wait_for(noticed, "the empty file is not noticed")
    assert str(tokens) in events(running, "auth.reload_failed")[0]["message"]


def test_token_is_never_in_the_log(start_server, call, tokens):
    running = start_server("--token-file", tokens, "--log-level", "debug")
    wrong = "wrong-token-of-the-test"
    call(running.grpc, metadata=bearer(TOKEN))
    call(running.grpc, metadata=bearer(wrong))
    assert running.stop() == 0
    assert str(tokens) in running.log(), "the file is named"
    for secret in (TOKEN, OTHER_TOKEN, wrong):
        assert secret not in running.log()


@pytest.mark.parametrize("text, why", [(None, "cannot be read"), ("", "holds no token"), ("# none\n", "holds no token"),
                                       ("short\n", "line 1 is no token"), (f"{TOKEN}\na b\n", "line 2 is no token")])
def test_token_bad_file_at_the_start_is_refused_by_name(bin_folder, tmp_path, text, why):
    path = tmp_path / "tokens"
    if text is not None:
        path.write_text(text)
    code, line = refused_start("--token-file", path)
    assert code == 1
    assert f"--token-file {path} " in line and why in line


# ---------------------------------------------------------------- plain text

def test_plain_text_for_other_machines_needs_the_flag(bin_folder, identity, tokens):
    for flags in (["--listen", "0.0.0.0:0"], ["--listen", "[::]:0"], ["--listen", "0.0.0.0:0", "--token-file", tokens],
                  ["--metrics-listen", "0.0.0.0:0"],
                  ["--metrics-listen", "0.0.0.0:0", "--listen", "0.0.0.0:0", *tls_flags(identity)]):
        code, line = refused_start(*flags)
        assert code == 2, flags
        assert "--allow-non-loopback" in line


def test_tls_serves_other_machines_without_the_flag(start_server, call, authority, identity):
    running = start_server("--listen", "0.0.0.0:0", *tls_flags(identity))
    assert call(running.grpc.replace("0.0.0.0", "127.0.0.1"), authority) == "OK"


def test_token_in_plain_text_is_warned_about(start_server, call, tokens):
    running = start_server("--listen", "0.0.0.0:0", "--allow-non-loopback", "--token-file", tokens)
    assert call(running.grpc.replace("0.0.0.0", "127.0.0.1"), metadata=bearer(TOKEN)) == "OK"
    assert events(running, "auth.tokens_in_plain_text")[0]["level"] == "warning"
