"""Bento's objects as its operators write them, for tests to apply and change."""

import pathlib

CRDS = sorted((pathlib.Path(__file__).parent / "crds").glob("*.yaml"))
SEPARATE_MODELS = "yatai.ai/yatai-image-builder-separate-models"
STORAGE_NAMESPACE = "yatai.ai/model-storage-namepsace"  # misspelt upstream
LLAMA = {
    "tag": "meta-llama--meta-llama-3-8b-instruct:0d8c1f0e1d2c3b4a5968778695a4b3c2",
    "downloadUrl": "hf://meta-llama/meta-llama-3-8b-instruct@8afb486c1db24fe5011ec46dfbe5b5dccdb575c2"
                   "@https://huggingface.co@*.safetensors&*.json&tokenizer*@original/*",
    "size": "16Gi"}
RERANKER = {"tag": "reranker:hx7q2d5m6cxa3", "size": "1300Mi",
            "downloadUrl": "s3://bento-store/org-42/models/reranker/hx7q2d5m6cxa3.tar"}
GPU_NODES = {"cloud.google.com/gke-accelerator": "nvidia-l4"}
GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def separate(storage_namespace=None):
    """The annotations of a bento whose models are outside of its image."""
    return {SEPARATE_MODELS: "true", **({STORAGE_NAMESPACE: storage_namespace} if storage_namespace else {})}


def bento_request(name, tag, models=(), *, annotations=None, namespace="default", **spec):
    return {"apiVersion": "resources.yatai.ai/v1alpha1", "kind": "BentoRequest",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
            "spec": {"bentoTag": tag, "context": {"bentomlVersion": "1.4.6"}, "models": list(models), **spec}}


def bento(name, tag, models=(), *, image=None, annotations=None, namespace="default", **spec):
    annotations = annotations or {}
    suffix = ".nomodels" if annotations.get(SEPARATE_MODELS) == "true" else ""
    image = image or f"registry.example.com/yatai-bentos:yatai.{tag.replace(':', '.')}{suffix}"
    return {"apiVersion": "resources.yatai.ai/v1alpha1", "kind": "Bento",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
            "spec": {"tag": tag, "image": image, "context": {"bentomlVersion": "1.4.6"},
                     "models": list(models), **spec}}


def bento_deployment(name, bento_name, *, minimum=1, maximum=1, gpus=1, namespace="default", labels=None,
                     annotations=None, node_selector=None, **spec):
    resources = {"requests": {"cpu": "1", "memory": "1Gi"},
                 "limits": {"cpu": "4", "memory": "8Gi", **({"gpu": str(gpus)} if gpus else {})}}
    return {"apiVersion": "serving.yatai.ai/v2alpha1", "kind": "BentoDeployment",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {},
                         "labels": labels or {}},
            "spec": {"bento": bento_name, "resources": resources,
                     "autoscaling": {"minReplicas": minimum, "maxReplicas": maximum},
                     "extraPodSpec": {"nodeSelector": GPU_NODES if node_selector is None else node_selector,
                                      "tolerations": [GPU_TOLERATION]}, **spec}}


def condition(kind, status, message="", *, at="2026-11-23T10:00:02Z"):
    """As Bento's operators write them: what happened is in status and message alone."""
    return {"type": kind, "status": status, "reason": "Reconciling", "message": message, "lastTransitionTime": at}


def seeded(request, storage_class="juicefs-sc"):
    """The status of a BentoRequest whose models are complete on the shared volume."""
    tags = ", ".join(model["tag"] for model in request["spec"]["models"])
    return {"imageBuilderPodStatus": {}, "conditions": [
        condition("ModelsExists", "True", f"{storage_class}:{tags}"),
        condition("ModelsSeeding", "False", "All models have been seeded."),
        condition("ImageBuilding", "True", "Image building job is running"),
        condition("BentoAvailable", "Unknown", "Bento image is building")]}


def workload(deployment, bento_object, *, replicas=None, runner=None):
    """The Deployment and the HorizontalPodAutoscaler that yatai-deployment makes of a BentoDeployment; it leaves
    the replicas to the autoscaler."""
    meta, spec = deployment["metadata"], deployment["spec"]
    name = meta["name"] if runner is None else f"{meta['name']}-runner-{runner}"
    repository, version = bento_object["spec"]["tag"].split(":")
    labels = {"yatai.ai/bento-deployment": meta["name"], "yatai.ai/bento-repository": repository,
              "yatai.ai/bento-version": version, "yatai.ai/creator": "yatai-deployment",
              "yatai.ai/bento-deployment-component-type": "api-server" if runner is None else "runner",
              "yatai.ai/bento-deployment-target-type": "production"}
    limits = dict(spec["resources"]["limits"])
    if "gpu" in limits:
        limits["nvidia.com/gpu"] = limits.pop("gpu")
    pod = {"containers": [{"name": "main", "image": bento_object["spec"]["image"],
                           "resources": {"limits": limits, "requests": spec["resources"]["requests"]}}],
           **spec.get("extraPodSpec", {})}
    count = {} if replicas is None else {"replicas": replicas}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment",
         "metadata": {"name": name, "namespace": meta["namespace"], "labels": labels},
         "spec": {**count, "selector": {"matchLabels": {"yatai.ai/selector": name}},
                  "template": {"metadata": {"labels": {**labels, "yatai.ai/selector": name}}, "spec": pod}}},
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
         "metadata": {"name": name, "namespace": meta["namespace"], "labels": labels},
         "spec": {"minReplicas": spec["autoscaling"]["minReplicas"],
                  "maxReplicas": spec["autoscaling"]["maxReplicas"],
                  "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                  "metrics": spec["autoscaling"].get("metrics", [
                      {"type": "Resource", "resource": {"name": "cpu", "target": {
                          "type": "Utilization", "averageUtilization": 80}}}])}}]
