# SPDX-License-Identifier: Apache-2.0
"""What is under deploy/ is well formed, names what exists, and fits the server."""
import functools
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from conftest import BIN, ROOT

DEPLOY = ROOT / "deploy"
TOOLS = pathlib.Path(sys.executable).parent
OVERLAYS = sorted(path.name for path in (DEPLOY / "kubernetes" / "overlays").iterdir())
# What is not of Kubernetes itself, and has no schema there.
EXTENSIONS = {"ServiceMonitor", "GRPCRoute"}


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@functools.cache
def flags():
    """The server's flags and the environment variables that stand for them."""
    text = subprocess.run([BIN / "objectdino-server", "--help"], capture_output=True, text=True, timeout=60).stdout
    return set(re.findall(r"--[a-z][a-z-]+", text)), set(re.findall(r"Env:(OBJECTDINO_\w+)", text))


# ---------------------------------------------------------------- metrics

def table_of_metrics():
    """The names that the server's code lists."""
    text = "".join((ROOT / "server" / name).read_text() for name in ("metrics.h", "process_metrics.h"))
    return set(re.findall(r'\{\s*"((?:objectdino|process)_\w+)"', text))


def names_in(text):
    """Metrics that a text names, without what histograms add and without recorded series, which have colons."""
    names = set(re.findall(r"(?<![\w:])(?:objectdino|process)_[a-z_]+\b(?!:)", text))
    known = table_of_metrics()
    return {re.sub(r"_(bucket|sum|count)$", "", name) if name not in known else name for name in names}


@pytest.fixture(scope="module")
def exported(server, cli):
    """Families of a running server that has answered and refused, from the comments that declare them."""
    assert cli("ground", ROOT / "examples" / "astronaut.jpg", "--server", server.grpc).returncode == 0
    assert cli("ground", ROOT / "README.md", "--server", server.grpc).returncode != 0
    return {re.sub(r"\{.*|_(bucket|sum|count)(\{.*|)$", "", name) for name in server.scrape()}


def test_every_listed_metric_is_exported(exported):
    assert table_of_metrics() == {name for name in exported if name.startswith(("objectdino_", "process_"))}


@pytest.mark.parametrize("path", ["prometheus/rules.yaml", "prometheus/rules_test.yaml", "grafana/dashboard.json",
                                  "kubernetes/base/autoscaler.yaml"])
def test_metrics_that_are_named_are_exported(path, exported):
    text = (DEPLOY / path).read_text()
    if path.endswith(".yaml") and "autoscaler" in path:
        named = {metric["pods"]["metric"]["name"] for metric in yaml.safe_load(text)["spec"]["metrics"] if metric["type"] == "Pods"}
    elif path.endswith(".json"):
        named = set().union(*(names_in(query) for query in queries_of_the_dashboard()))
    else:
        named = names_in(re.sub(r"record: .*|summary: .*", "", text))
    assert named and named <= exported, named - exported


def queries_of_the_dashboard():
    document = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    panels = [target["expr"] for panel in document["panels"] for target in panel.get("targets", [])]
    return panels + [item["query"]["query"] for item in document["templating"]["list"]]


def test_labels_that_are_matched_have_such_values(exported):
    """A rule that asks for a code or a reason that nobody sends would never fire."""
    source = "".join(path.read_text() for path in (ROOT / "server").glob("*.*"))
    codes = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "RESOURCE_EXHAUSTED", "INTERNAL",
             "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED", "UNIMPLEMENTED", "FAILED_PRECONDITION"}
    texts = [(DEPLOY / "prometheus" / "rules.yaml").read_text(), *queries_of_the_dashboard()]
    for label, values in re.findall(r'(code|reason|method)(?:=~|!=|=)"([^"]+)"', "\n".join(texts)):
        for value in values.split("|"):
            assert value in codes if label == "code" else f'"{value}"' in source, (label, value)


# ---------------------------------------------------------------- Prometheus, Grafana

def test_rules_behave_as_their_unit_tests_say():
    run("promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yaml")
    assert "SUCCESS" in run("promtool", "test", "rules", DEPLOY / "prometheus" / "rules_test.yaml")


def test_every_alert_is_tested_and_explained():
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    tests = yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yaml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == alerts, "fires"
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == alerts, "stays quiet"
    guide = (ROOT / "docs" / "deployment.md").read_text()
    assert alerts == set(re.findall(r"`(Objectdino\w+)`", guide))


def test_queries_of_the_dashboard_are_promql(tmp_path):
    """As rules, so that promtool parses them."""
    queries = [re.sub(r"\$__rate_interval", "5m", query) for query in queries_of_the_dashboard() if "label_values" not in query]
    rules = {"groups": [{"name": "dashboard", "rules": [{"record": f"panel:{i}", "expr": q} for i, q in enumerate(queries)]}]}
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rules))
    run("promtool", "check", "rules", file)


# ---------------------------------------------------------------- Kubernetes

@functools.cache
def rendered(overlay):
    return run(TOOLS / "kubectl", "kustomize", DEPLOY / "kubernetes" / "overlays" / overlay)


def manifests(overlay):
    return [document for document in yaml.safe_load_all(rendered(overlay)) if document]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_fit_the_schemas(overlay, tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text(rendered(overlay))
    for version in ("1.31", "1.34"):
        said = run(TOOLS / "kubernetes-validate", "--kubernetes-version", version, "--strict", file)
        unknown = set(re.findall(r"find schema for kind (\w+)", said))
        assert unknown <= EXTENSIONS
        assert said.count(" passed for ") == len([d for d in manifests(overlay) if d["kind"] not in EXTENSIONS])


def test_validator_sees_a_fault(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text((DEPLOY / "kubernetes" / "base" / "disruption.yaml").read_text().replace("maxUnavailable", "maxUnavailabel"))
    assert subprocess.run([TOOLS / "kubernetes-validate", "--strict", file], capture_output=True).returncode != 0


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_fit_each_other_and_the_server(overlay):
    known_flags, known_variables = flags()
    by_kind = {}
    for document in manifests(overlay):
        assert document["metadata"]["namespace"] == "objectdino"
        by_kind.setdefault(document["kind"], []).append(document)
    deployment, = by_kind["Deployment"]
    template = deployment["spec"]["template"]
    labels, pod, server = template["metadata"]["labels"], template["spec"], template["spec"]["containers"][0]

    def selects(selector):
        return selector and all(labels.get(key) == value for key, value in selector.items())

    assert selects(deployment["spec"]["selector"]["matchLabels"])
    assert all(selects(service["spec"]["selector"]) for service in by_kind["Service"])
    assert selects(by_kind["PodDisruptionBudget"][0]["spec"]["selector"]["matchLabels"])
    assert selects(by_kind["NetworkPolicy"][0]["spec"]["podSelector"]["matchLabels"])
    assert all(selects(spread["labelSelector"]["matchLabels"]) for spread in pod["topologySpreadConstraints"])
    ports = {port["name"] for port in server["ports"]}
    assert {port["targetPort"] for service in by_kind["Service"] for port in service["spec"]["ports"]} == ports
    monitor = by_kind["ServiceMonitor"][0]["spec"]
    scraped = [service for service in by_kind["Service"] if monitor["selector"]["matchLabels"].items()
               <= service["metadata"]["labels"].items()]
    assert [service["metadata"]["name"] for service in scraped] == ["objectdino-metrics"]
    assert by_kind["HorizontalPodAutoscaler"][0]["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "the autoscaler's"

    given = dict(argument.split("=") for argument in server["args"])
    assert given.keys() <= known_flags
    assert {variable["name"] for variable in server.get("env", [])} <= known_variables
    assert pod["enableServiceLinks"] is False, "OBJECTDINO_PORT and the like"
    assert int(given["--lanes"]) * int(given["--threads"]) == int(server["resources"]["requests"]["cpu"])
    assert int(given["--drain-delay-seconds"]) + int(given["--grace-seconds"]) < pod["terminationGracePeriodSeconds"]
    assert server["securityContext"]["readOnlyRootFilesystem"] and pod["securityContext"]["runAsNonRoot"]


# ---------------------------------------------------------------- compose, Dockerfile, gateways

def test_compose_file_fits_its_schema_and_names_what_exists():
    file = DEPLOY / "compose.yaml"
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    services = yaml.safe_load(file.read_text())["services"]
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (DEPLOY / source).exists(), source
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
    assert {word.split("=")[0] for word in services["objectdino"]["command"]} <= flags()[0]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"AS {services['objectdino']['build']['target']}\n" in dockerfile


def test_dockerfile_passes_its_linter_and_names_what_exists():
    run(TOOLS / "hadolint", ROOT / "Dockerfile")
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"OBJECTDINO_(?!CUDA)\w+", text)) <= flags()[1]
    for source in re.findall(r"^COPY (scripts\S+(?: scripts\S+)*) \S+$", text, re.M):
        for path in source.split():
            assert (ROOT / path).exists(), path
    assert text.rstrip().split("FROM ")[-1].startswith("base AS cpu"), "what `docker build` makes by default"


def test_envoy_configuration_is_yaml_and_points_at_the_service():
    document = yaml.safe_load((DEPLOY / "envoy" / "envoy.yaml").read_text())
    cluster, = document["static_resources"]["clusters"]
    address = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert address["address"] in services and str(address["port_value"]) in services[address["address"]]["expose"]


@pytest.mark.skipif(shutil.which("nginx") is None and not pathlib.Path("/usr/sbin/nginx").exists(), reason="no nginx")
def test_nginx_configuration_is_good(tmp_path):
    text = (DEPLOY / "nginx" / "nginx.conf").read_text().replace("/tmp/", f"{tmp_path}/")
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    run("/usr/sbin/nginx", "-t", "-c", file)
