#!/usr/bin/env python3
"""The Helm chart, rendered by helm and held against Kubernetes' schemas and against the server itself.

    deploy/helm/check.py PATH/TO/sluice

Needs `helm` and, in this Python, kubernetes-validate (which brings PyYAML) and cloudcoil.models.prometheus_operator (the
ServiceMonitor's schema is not Kubernetes' but the Prometheus operator's). Three sets of values are rendered; each object
must fit the schema of its kind, names and ports that objects use of each other must exist, and the configuration and the
environment of the pod must pass `sluice check`. Prints `N passed, N failed`.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator

VERSIONS = ["1.30", "1.34"]
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43
VALUES = {
    "as it comes": {},
    "everything": {
        "tls": {"secret": "certificate", "clientAuthority": "authority", "clientNames": ["gateway.example.com"]},
        "tokens": [{"name": "prometheus", "role": "viewer", "hash": HASH}, {"name": "ops", "role": "operator", "hash": HASH}],
        "prometheusToken": "sluice_prometheus.x",
        "rules": {"trustedKeys": ["RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"], "pack": "https://rules.example/feed.tar.zst"},
        "adminTls": {"secret": "admin-certificate"},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "tlsConfig": {"serverName": "sluice.example.com"}},
        "environment": {"SLUICE__LOG__LEVEL": "debug"},
        "podAnnotations": {"example.com/team": "edge"},
        "nodeSelector": {"pool": "edge"},
        "service": {"clusterIP": "None"},
    },
    "the least": {name: {"enabled": False} for name in ("autoscaling", "networkPolicy", "disruption")} | {"preStopSeconds": 0},
}
passed = failed = 0


def case(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"FAIL {name}: {str(detail)[:1000]}", flush=True)


def render(chart, values):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        for command in (["lint", "--strict", chart], ["template", "edge", chart, "--namespace", "scan"]):
            done = subprocess.run(["helm", *command, "-f", file.name], capture_output=True, text=True, timeout=60, check=False)
            case(f"helm {command[0]}", done.returncode == 0, done.stdout + done.stderr)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def fits(document):
    if document["kind"] == "ServiceMonitor":
        case("ServiceMonitor fits the Prometheus operator", *fits_the_operator(document))
        for name, broken in wrong_monitors(document):
            case(f"a ServiceMonitor with {name} would have been seen", not fits_the_operator(broken)[0])
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
            case("schema", True)
        except Exception as error:  # whatever it does not like, a version it does not have included
            case(f"{document['kind']} fits Kubernetes {version}", False, error)


def fits_the_operator(document):
    try:
        monitor = prometheus_operator.ServiceMonitor.model_validate(document)
    except ValueError as error:
        return False, error
    # What it does not know it leaves out.
    known = monitor.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return known == document, known


def wrong_monitors(document):
    for name, change in {
        "a member that is not known": lambda spec: spec["endpoints"][0].update(ports="admin"),
        "no selector": lambda spec: spec.pop("selector"),
        "an interval in seconds": lambda spec: spec["endpoints"][0].update(interval=30),
    }.items():
        broken = copy.deepcopy(document)
        change(broken["spec"])
        yield name, broken


def holds_together(objects):
    pod = objects["Deployment"]["spec"]["template"]
    labels, container = pod["metadata"]["labels"], pod["spec"]["containers"][0]
    ports = {port["name"] for port in container["ports"]}
    for kind, path in {"Service": ["selector"], "PodDisruptionBudget": ["selector", "matchLabels"],
                       "NetworkPolicy": ["podSelector", "matchLabels"], "Deployment": ["selector", "matchLabels"]}.items():
        if kind in objects:
            wanted = objects[kind]["spec"]
            for step in path:
                wanted = wanted[step]
            case(f"{kind} selects the pods", wanted.items() <= labels.items(), wanted)
    used = {port["targetPort"] for port in objects["Service"]["spec"]["ports"]}
    used |= {container[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    used |= {port["port"] for rule in objects.get("NetworkPolicy", {"spec": {"ingress": []}})["spec"]["ingress"] for port in rule["ports"]}
    case("ports that are named exist", used <= ports, (used, ports))
    https = any(variable["name"] == "SLUICE__ADMIN__TLS" for variable in container["env"])
    schemes = {container[probe]["httpGet"]["scheme"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    case("probes speak as the admin listener does", schemes == {"HTTPS" if https else "HTTP"}, schemes)
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    for each in [container, *pod["spec"].get("initContainers", [])]:
        case("mounts have volumes", {mount["name"] for mount in each["volumeMounts"]} <= volumes, each["name"])
        case("nothing is writable or privileged", each["securityContext"]["readOnlyRootFilesystem"]
             and each["securityContext"]["capabilities"] == {"drop": ["ALL"]}, each["name"])
    if "HorizontalPodAutoscaler" in objects:
        target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
        case("the autoscaler scales the deployment", target == objects["Deployment"]["metadata"]["name"], target)
        case("and nobody else does", "replicas" not in objects["Deployment"]["spec"])
    if "ServiceMonitor" in objects:
        monitor = objects["ServiceMonitor"]["spec"]
        case("the monitor selects the service", monitor["selector"]["matchLabels"].items() <= objects["Service"]["metadata"]["labels"].items())
        case("and speaks as it does", monitor["endpoints"][0]["scheme"] == ("https" if https else "http"))
        case("and asks on a port of it", monitor["endpoints"][0]["port"] in {port["name"] for port in objects["Service"]["spec"]["ports"]})
        key = monitor["endpoints"][0]["authorization"]["credentials"]["key"]
        case("with a token that is there", key in objects["Secret"]["stringData"], key)


def the_server_takes(objects, sluice):
    secrets = objects["Secret"]["stringData"]
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    environment = {"PATH": os.environ["PATH"]}
    for variable in container["env"]:
        environment[variable["name"]] = variable.get("value") or secrets[variable["valueFrom"]["secretKeyRef"]["key"]]
    with tempfile.TemporaryDirectory() as folder:
        # What the pod has mounted.
        environment["SLUICE__SPOOL__DIRECTORY"] = folder
        if "SLUICE__RULES__STORE" in environment:
            environment["SLUICE__RULES__STORE"] = os.path.join(folder, "rules")
        config = os.path.join(folder, "sluice.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(objects["ConfigMap"]["data"]["sluice.toml"])
        done = subprocess.run([sluice, "check", "--config", config], env=environment, capture_output=True, text=True, timeout=60, check=False)
        case("sluice check", done.returncode == 0, done.stdout + done.stderr)
        if "SLUICE__LISTENERS" in environment:
            environment["SLUICE__LISTENERS"] = environment["SLUICE__LISTENERS"].replace("certificate =", "certificat =")
            done = subprocess.run([sluice, "check", "--config", config], env=environment, capture_output=True, text=True, timeout=60, check=False)
            case("a wrong listener would have been seen", done.returncode != 0, done.stdout)


def main():
    sluice = os.path.abspath(sys.argv[1])
    chart = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sluice")
    for name, values in VALUES.items():
        documents = render(chart, values)
        for document in documents:
            fits(document)
        objects = {document["kind"]: document for document in documents}
        holds_together(objects)
        the_server_takes(objects, sluice)
        print(f"{name}: {', '.join(sorted(objects))}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
