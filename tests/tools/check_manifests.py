"""Holds a folder of `crossfade manifests` against the schemas of those who read it, by an independent validator.

    check_manifests.py FOLDER

Kubernetes' own kinds go through `kubernetes-validate`, which knows the API server's schemas. A TargetGroupBinding goes
through the controller's schema in tests/fixtures. The patch of a Deployment is no Deployment, so it is merged into one
as kompose writes it first.
"""

import copy
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

CRD = Path(__file__).parent.parent / "fixtures" / "targetgroupbindings.yaml"
# `preStop.sleep` is on by default from here on.
OLDEST = "1.30"


def deployment(name: str) -> dict:
    labels = {"io.kompose.service": name}
    container = {"name": name, "image": f"registry/{name}:1", "ports": [{"containerPort": 8080}]}
    pod = {"containers": [container], "restartPolicy": "Always"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def merged(base, patch):
    """A strategic merge, as far as these documents need it: maps are merged, and lists of named things by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        both = {key: merged(base[key], patch[key]) for key in base.keys() & patch.keys()}
        return {**base, **patch, **both}
    if isinstance(base, list) and isinstance(patch, list) and all("name" in item for item in base + patch):
        by_name = {item["name"]: item for item in base}
        for item in patch:
            by_name[item["name"]] = merged(by_name[item["name"]], item) if item["name"] in by_name else item
        return list(by_name.values())
    return copy.deepcopy(patch)


def check(folder: Path) -> int:
    versions = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = next(one for one in versions if one["name"] == "v1beta1")["schema"]["openAPIV3Schema"]
    documents = {path.name: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}
    kinds = set()
    for name, document in documents.items():
        kind = document["kind"]
        kinds.add(kind)
        if kind == "TargetGroupBinding":
            jsonschema.validate(document, schema)
        elif kind == "Kustomization":
            ours = [file for file in document["resources"] if not file.endswith(("-deployment.yaml", "-service.yaml"))]
            ours += [patch["path"] for patch in document["patches"]]
            missing = [file for file in ours if file not in documents]
            assert not missing, f"{name} names files that are not there: {missing}"
            assert set(ours) == documents.keys() - {name}, f"{name} leaves files out"
        else:
            base = deployment(document["metadata"]["name"]) if kind == "Deployment" else document
            kubernetes_validate.validate(merged(base, document), OLDEST, strict=True)
        print(f"ok  {name}  {kind}")
    expected = {"TargetGroupBinding", "Deployment", "PodDisruptionBudget", "Kustomization"}
    assert kinds == expected, f"expected {expected}, found {kinds}"
    return 0


if __name__ == "__main__":
    sys.exit(check(Path(sys.argv[1])))
