# The gateway in a Kubernetes cluster: a namespace, a secret, and the chart in deploy/helm.

locals {
  urls = {
    LLMITM_LEDGER_URL = var.ledger_url
    LLMITM_SHARED_URL = var.shared_url
  }

  # Whether a URL is given is no secret; the URL is.
  stores = merge(
    nonsensitive(var.ledger_url != null) ? { ledger = "$${LLMITM_LEDGER_URL}" } : {},
    nonsensitive(var.shared_url != null) ? { shared = "$${LLMITM_SHARED_URL}" } : {},
  )
}

resource "kubernetes_namespace_v1" "gateway" {
  metadata {
    name = var.namespace

    labels = {
      "pod-security.kubernetes.io/enforce" = "restricted"
    }
  }
}

resource "random_password" "gateway" {
  for_each = toset(["LLMITM_ADMIN_TOKEN", "LLMITM_DEV_KEY"])

  length  = 40
  special = false
}

resource "kubernetes_secret_v1" "gateway" {
  metadata {
    name      = "llmitm-credentials"
    namespace = kubernetes_namespace_v1.gateway.metadata[0].name
  }

  data = merge(
    { for name, password in random_password.gateway : name => password.result },
    { for name, url in local.urls : name => url if url != null },
    var.provider_keys,
  )
}

resource "helm_release" "gateway" {
  name      = "llmitm"
  chart     = "${path.module}/../helm/llmitm"
  namespace = kubernetes_namespace_v1.gateway.metadata[0].name
  wait      = true
  timeout   = 300

  values = [
    yamlencode({
      image          = var.image
      replicaCount   = var.replicas
      existingSecret = kubernetes_secret_v1.gateway.metadata[0].name
      config         = { store = local.stores }
    }),
    yamlencode(var.values),
  ]
}
